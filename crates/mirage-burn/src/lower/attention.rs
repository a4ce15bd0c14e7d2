//! Attention on row-major tensors, by burn's own function.

use burn_backend::{Backend, ops::AttentionModuleOptions};
use mirage_ir::ops::Attention;

use super::{Lowered, NodeContext, kernel};
use crate::Kernel;
use crate::Tensor;

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    cx.node
        .op
        .get::<Attention>()
        .map(|op| Ok(attention(op, cx)))
}

fn attention<B: Backend>(op: &Attention, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (q, k) = (&cx.inputs[0].shape, &cx.inputs[1].shape);
    let scores = [q[0], q[1], q[2], k[2]];
    let usual = 1.0 / (q[3] as f64).sqrt();
    let options = AttentionModuleOptions {
        // Engines have faster paths for the default scale if it is not given.
        scale: op.scale.filter(|s| *s != usual),
        softcap: op.softcap,
        is_causal: op.causal,
    };
    let aligns: Vec<_> = (0..cx.inputs.len()).map(|i| cx.logical(i)).collect();
    let out = cx.physical();
    let (mask_at, bias_at) = (
        op.mask.then_some(3),
        op.bias.then_some(3 + usize::from(op.mask)),
    );
    kernel(move |args| {
        let [q, k, v] = [0, 1, 2].map(|i| aligns[i].view(args.take(i)).into_float());
        // Graph and burn agree: true masks the key.
        let mask = mask_at.map(|i| aligns[i].view(args.take(i)).expand(&scores).into_bool());
        let bias = bias_at.map(|i| aligns[i].view(args.take(i)).expand(&scores).into_float());
        out.view(Tensor::Float(B::attention(q, k, v, mask, bias, options)))
    })
}

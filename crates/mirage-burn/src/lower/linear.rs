//! Matrix products, on row-major tensors.

use burn_backend::Backend;
use mirage_ir::ops::{Linear, Matmul};

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor, TypedArgs};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if cx.node.op.is::<Matmul>() {
        return Some(Ok(matmul(cx)));
    }
    cx.node.op.get::<Linear>().map(|_| Ok(linear(cx)))
}

fn matmul<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (a, b, out) = (cx.logical(0), cx.logical(1), cx.physical());
    kernel(move |args| {
        let (a, b) = (a.view(args.take(0)), b.view(args.take(1)));
        out.view(match (a, b) {
            (Tensor::Int(a), Tensor::Int(b)) => Tensor::Int(B::int_matmul(a, b)),
            (a, b) => Tensor::Float(B::float_matmul(a.into_float(), b.into_float())),
        })
    })
}

fn linear<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (x, weight, out) = (cx.logical(0), cx.logical(1), cx.physical());
    let has_bias = cx.inputs.len() == 3;
    // A vector is computed as a matrix of one row.
    let vector = cx.inputs[0].rank() == 1;
    let (rows, shape) = ([1, cx.inputs[0].numel()], cx.outputs[0].shape.clone());
    kernel(move |args| {
        let x = x.view(args.take(0));
        let x = if vector { x.reshape(&rows) } else { x };
        let weight = weight.view(args.take(1)).into_float();
        let bias = has_bias.then(|| args.float(2));
        let y = Tensor::Float(B::linear(x.into_float(), weight, bias));
        out.view(if vector { y.reshape(&shape) } else { y })
    })
}

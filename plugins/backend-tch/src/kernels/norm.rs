//! Norms and the activations around them in a region. libtorch accepts half precision with parameters in
//! f32, and computes statistics in f32.

use burn_tch::{LibTorch, TchTensor};
use mirage_burn::{Align, Kernel, Tensor};
use mirage_ir::{
    DType, TensorType,
    ops::{BatchNorm, GroupNorm, LayerNorm},
    regions::{ActGroupNorm, ActLayerNorm, Activation, AddLayerNorm, GroupNormSilu, KnownRegion},
};
use tch::TchError;

use super::{
    Cx, Operands,
    activation::{activate, activated},
    kernel, words,
};

/// A norm over groups of channels or over the last dimension.
pub(super) enum Norm {
    Groups { groups: i64, eps: f64 },
    Layer { width: i64, eps: f64 },
}

impl Norm {
    pub(super) fn of_groups(op: GroupNorm) -> Self {
        Norm::Groups {
            groups: op.groups as i64,
            eps: op.eps,
        }
    }

    /// Returns the norm for the shape of `x`.
    pub(super) fn of_layer(op: LayerNorm, x: &TensorType) -> Self {
        Norm::Layer {
            width: x.shape.last().map_or(1, |&n| n as i64),
            eps: op.eps,
        }
    }

    /// Computes the norm of x in its logical shape.
    pub(super) fn run(
        &self,
        x: &tch::Tensor,
        gamma: Option<&tch::Tensor>,
        beta: Option<&tch::Tensor>,
    ) -> Result<tch::Tensor, TchError> {
        match *self {
            Norm::Groups { groups, eps } => x.f_group_norm(groups, gamma, beta, eps, false),
            Norm::Layer { width, eps } => x.f_layer_norm(width, gamma, beta, eps, false),
        }
    }
}

pub(super) fn lower(cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
    let x = cx.inputs.first()?;
    let node = cx.node;
    if let Some(&op) = node.op.get::<GroupNorm>() {
        return Some(normed(
            cx,
            Activation::None,
            Norm::of_groups(op),
            Activation::None,
        ));
    }
    if let Some(&op) = node.op.get::<LayerNorm>() {
        return Some(normed(
            cx,
            Activation::None,
            Norm::of_layer(op, x),
            Activation::None,
        ));
    }
    if let Some(op) = GroupNormSilu::of_region(&node.op) {
        return Some(normed(
            cx,
            Activation::None,
            Norm::of_groups(op.norm),
            Activation::Silu,
        ));
    }
    if let Some(op) = ActGroupNorm::of_region(&node.op) {
        let norm = Norm::of_groups(op.norm);
        return Some(normed(cx, op.activation, norm, Activation::None));
    }
    if let Some(op) = ActLayerNorm::of_region(&node.op) {
        let norm = Norm::of_layer(op.norm, x);
        return Some(normed(cx, op.activation, norm, Activation::None));
    }
    if let Some(op) = AddLayerNorm::of_region(&node.op) {
        return Some(sum_normed(cx, op.norm));
    }
    let op = node.op.get::<BatchNorm>()?;
    matches!(x.dtype, DType::F32 | DType::F64).then(|| batch_norm(cx, op.eps))
}

/// Applies an optional activation, the norm, and an optional activation.
fn normed(cx: &Cx<'_>, before: Activation, norm: Norm, after: Activation) -> Kernel<LibTorch> {
    let x = cx.logical(0);
    let parameters = cx.inputs.len() - 1;
    kernel(cx.physical(), move |args| {
        let mut y = args.seen(0, &x);
        if before != Activation::None {
            y = activated(&y, before)?;
        }
        let gamma = (parameters > 0).then(|| args.plain(1));
        let beta = (parameters > 1).then(|| args.plain(2));
        activate(norm.run(&y, gamma.as_ref(), beta.as_ref())?, after)
    })
}

fn sum_normed(cx: &Cx<'_>, op: LayerNorm) -> Kernel<LibTorch> {
    let (a, b) = (cx.logical(0), cx.logical(1));
    let outs = [0, 1].map(|i| Align::from_logical(&cx.outputs[i]));
    let norm = Norm::of_layer(op, &cx.inputs[0]);
    let has_beta = cx.inputs.len() == 4;
    Box::new(move |args| {
        let compute = |mut args: Operands<'_, '_>| {
            let sum = args.seen(0, &a).f_add(&args.seen(1, &b))?;
            let gamma = args.plain(2);
            let beta = has_beta.then(|| args.plain(3));
            let normed = norm.run(&sum, Some(&gamma), beta.as_ref())?;
            Ok([sum, normed])
        };
        let results = compute(Operands(args)).map_err(|e: TchError| words(e))?;
        for (i, (out, result)) in outs.iter().zip(results).enumerate() {
            args.set(i, out.lay_out(Tensor::Float(TchTensor::new(result))));
        }
        Ok(())
    })
}

fn batch_norm(cx: &Cx<'_>, eps: f64) -> Kernel<LibTorch> {
    let x = cx.logical(0);
    kernel(cx.physical(), move |args| {
        let x = args.seen(0, &x);
        let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(|i| Some(args.plain(i)));
        x.f_batch_norm(gamma, beta, mean, variance, false, 0.0, eps, false)
    })
}

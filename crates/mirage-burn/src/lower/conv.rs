//! Convolutions, on row-major views.

use burn_backend::{
    Backend,
    ops::{ConvOptions, ConvTransposeOptions},
    tensor::FloatTensor,
};
use mirage_ir::ops::{Conv, ConvTranspose};

use super::{Lowered, NodeContext, fixed, kernel};
use crate::{Kernel, Tensor, TypedArgs};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(op) = cx.node.op.get::<Conv>() {
        let kernel = match op.stride.len() {
            1 => with(cx, B::conv1d, conv_options(op)),
            2 => with(cx, B::conv2d, conv_options(op)),
            _ => with(cx, B::conv3d, conv_options(op)),
        };
        return Some(Ok(kernel));
    }
    let op = cx.node.op.get::<ConvTranspose>()?;
    Some(Ok(match op.stride.len() {
        1 => with(cx, B::conv_transpose1d, transpose_options(op)),
        2 => with(cx, B::conv_transpose2d, transpose_options(op)),
        _ => with(cx, B::conv_transpose3d, transpose_options(op)),
    }))
}

fn conv_options<const N: usize>(op: &Conv) -> ConvOptions<N> {
    let (stride, padding, dilation) = (fixed(&op.stride), fixed(&op.padding), fixed(&op.dilation));
    ConvOptions::new(stride, padding, dilation, op.groups)
}

fn transpose_options<const N: usize>(op: &ConvTranspose) -> ConvTransposeOptions<N> {
    ConvTransposeOptions::new(
        fixed(&op.stride),
        fixed(&op.padding),
        fixed(&op.output_padding),
        fixed(&op.dilation),
        op.groups,
    )
}

/// An engine's convolution: of x, weight and bias.
type Function<B, O> =
    fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>, O) -> FloatTensor<B>;

fn with<B: Backend, O: Clone + Send + Sync + 'static>(
    cx: &NodeContext<'_, B>,
    f: Function<B, O>,
    options: O,
) -> Kernel<B> {
    let (x, weight, out) = (cx.logical(0), cx.logical(1), cx.physical());
    let has_bias = cx.inputs.len() == 3;
    kernel(move |args| {
        let x = x.view(args.take(0)).into_float();
        let weight = weight.view(args.take(1)).into_float();
        let bias = has_bias.then(|| args.float(2));
        out.lay_out(Tensor::Float(f(x, weight, bias, options.clone())))
    })
}

//! Pooling, on row-major views.

use burn_backend::{Backend, Shape, tensor::FloatTensor};
use mirage_ir::ops::{AdaptiveAvgPool, AvgPool, MaxPool};

use super::{Lowered, NodeContext, fixed, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    let op = &cx.node.op;
    if let Some(op) = op.get::<MaxPool>() {
        Some(Ok(max_pool(op.clone(), cx)))
    } else if let Some(op) = op.get::<AvgPool>() {
        Some(Ok(avg_pool(op.clone(), cx)))
    } else {
        op.get::<AdaptiveAvgPool>().map(|op| Ok(adaptive(op, cx)))
    }
}

fn on_logical<B: Backend>(
    cx: &NodeContext<'_, B>,
    f: impl Fn(FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    let (x, out) = (cx.logical(0), cx.physical());
    kernel(move |args| out.lay_out(Tensor::Float(f(x.view(args.take(0)).into_float()))))
}

fn max_pool<B: Backend>(op: MaxPool, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let MaxPool {
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode,
    } = op;
    match kernel.len() {
        1 => on_logical(cx, move |x| {
            B::max_pool1d(x, kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
        }),
        2 => {
            let (k, s) = (fixed(&kernel), fixed(&stride));
            let (p, d) = (fixed(&padding), fixed(&dilation));
            on_logical(cx, move |x| B::max_pool2d(x, k, s, p, d, ceil_mode))
        }
        _ => separable(cx, move |x, i, j| {
            let pick = |v: &[usize], one| [v[i], j.map_or(one, |j| v[j])];
            let (k, s) = (pick(&kernel, 1), pick(&stride, 1));
            B::max_pool2d(x, k, s, pick(&padding, 0), pick(&dilation, 1), ceil_mode)
        }),
    }
}

fn avg_pool<B: Backend>(op: AvgPool, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let AvgPool {
        kernel,
        stride,
        padding,
        count_include_pad,
        ceil_mode,
    } = op;
    match kernel.len() {
        1 => on_logical(cx, move |x| {
            B::avg_pool1d(
                x,
                kernel[0],
                stride[0],
                padding[0],
                count_include_pad,
                ceil_mode,
            )
        }),
        2 => {
            let (k, s, p) = (fixed(&kernel), fixed(&stride), fixed(&padding));
            on_logical(cx, move |x| {
                B::avg_pool2d(x, k, s, p, count_include_pad, ceil_mode)
            })
        }
        _ => separable(cx, move |x, i, j| {
            let pick = |v: &[usize], one| [v[i], j.map_or(one, |j| v[j])];
            let (k, s) = (pick(&kernel, 1), pick(&stride, 1));
            B::avg_pool2d(x, k, s, pick(&padding, 0), count_include_pad, ceil_mode)
        }),
    }
}

fn adaptive<B: Backend>(op: &AdaptiveAvgPool, cx: &NodeContext<'_, B>) -> Kernel<B> {
    match op.size[..] {
        [a] => on_logical(cx, move |x| B::adaptive_avg_pool1d(x, a)),
        [a, b] => on_logical(cx, move |x| B::adaptive_avg_pool2d(x, [a, b])),
        _ => {
            let size = fixed(&op.size);
            on_logical(cx, move |x| B::adaptive_avg_pool3d(x, size))
        }
    }
}

/// Pools over three dimensions by two pools over at most two: the maximum (mean) over a box is the maximum
/// (mean) of those over its slices. `f` pools the last two dimensions of its operand with the windows of
/// spatial dimensions i and, if given, j; otherwise the second window has one element.
fn separable<B: Backend>(
    cx: &NodeContext<'_, B>,
    f: impl Fn(FloatTensor<B>, usize, Option<usize>) -> FloatTensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    let (from, to) = (cx.inputs[0].shape.clone(), cx.outputs[0].shape.clone());
    let planes = Shape::from([from[0], from[1] * from[2], from[3], from[4]]);
    let columns = Shape::from([from[0], from[1], from[2], to[3] * to[4]]);
    let out = Shape::from(to);
    on_logical(cx, move |x| {
        let x = f(B::float_reshape(x, planes.clone()), 1, Some(2));
        let x = f(B::float_reshape(x, columns.clone()), 0, None);
        B::float_reshape(x, out.clone())
    })
}

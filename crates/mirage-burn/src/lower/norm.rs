//! Normalizations. Half precision is normalized in f32, like burn's layers.

use burn_backend::{Backend, Scalar, Shape, tensor::FloatTensor};
use mirage_ir::{
    DType,
    ops::{BatchNorm, GroupNorm, LayerNorm},
};

use super::{Lowered, NodeContext, accumulator, cast_float, is_channels_last, kernel};
use crate::{Args, Kernel, Storage, Tensor, TypedArgs};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(op) = cx.node.op.get::<BatchNorm>() {
        return Some(Ok(batch_norm(op.eps, cx)));
    }
    if let Some(op) = cx.node.op.get::<GroupNorm>() {
        return Some(Ok(group_norm(op, cx)));
    }
    cx.node
        .op
        .get::<LayerNorm>()
        .map(|op| Ok(layer_norm(op.eps, cx)))
}

/// Casts operands to the dtype in which a normalization computes, and its result back.
#[derive(Clone, Copy)]
struct Wide {
    from: DType,
    to: DType,
    storage: Storage,
}

impl Wide {
    fn of<B: Backend>(cx: &NodeContext<'_, B>) -> Self {
        let from = cx.inputs[0].dtype;
        Wide {
            from,
            to: accumulator(from),
            storage: cx.storage,
        }
    }

    fn widen<B: Backend>(&self, x: FloatTensor<B>) -> FloatTensor<B> {
        cast_float::<B>(x, self.from, self.to, &self.storage)
    }

    fn take<B: Backend>(&self, args: &mut Args<'_, B>, i: usize) -> FloatTensor<B> {
        self.widen::<B>(args.float(i))
    }

    fn back<B: Backend>(&self, x: FloatTensor<B>) -> Tensor<B> {
        Tensor::Float(cast_float::<B>(x, self.to, self.from, &self.storage))
    }
}

fn reshape<B: Backend>(x: FloatTensor<B>, shape: &[usize]) -> FloatTensor<B> {
    B::float_reshape(x, Shape::from(shape))
}

/// Computes 1/√(variance + eps).
fn inverse_deviation<B: Backend>(variance: FloatTensor<B>, eps: f64) -> FloatTensor<B> {
    B::float_recip(B::float_sqrt(B::float_add_scalar(
        variance,
        Scalar::Float(eps),
    )))
}

fn batch_norm<B: Backend>(eps: f64, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let wide = Wide::of(cx);
    // Parameters broadcast along the physical dimension of the channels.
    let mut along = vec![1; cx.inputs[0].rank()];
    along[cx.place(1)] = cx.inputs[0].shape[1];
    kernel(move |args| {
        let x = wide.take(args, 0);
        let [gamma, beta, mean, variance] =
            [1, 2, 3, 4].map(|i| reshape::<B>(wide.take(args, i), &along));
        let scale = B::float_mul(inverse_deviation::<B>(variance, eps), gamma);
        let shift = B::float_sub(beta, B::float_mul(mean, scale.clone()));
        wide.back(B::float_add(B::float_mul(x, scale), shift))
    })
}

fn layer_norm<B: Backend>(eps: f64, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (wide, x, out) = (Wide::of(cx), cx.logical(0), cx.physical());
    let has_beta = cx.inputs.len() == 3;
    kernel(move |args| {
        let x = wide.widen::<B>(x.view(args.take(0)).into_float());
        let gamma = wide.take(args, 1);
        let beta = has_beta.then(|| wide.take(args, 2));
        out.view(wide.back(B::layer_norm(x, gamma, beta, eps)))
    })
}

/// The layout of groups, for a batch of N, G groups and S positions.
#[derive(Clone, Copy)]
enum Groups {
    /// Contiguous groups: `[N, G, channels/G · S]`.
    Together {
        batch: usize,
        groups: usize,
        channels: usize,
        places: usize,
    },
    /// Channels innermost: `[N, S, C]`.
    Interleaved {
        batch: usize,
        groups: usize,
        channels: usize,
        places: usize,
    },
}

fn group_norm<B: Backend>(op: &GroupNorm, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (wide, eps, ty) = (Wide::of(cx), op.eps, &cx.inputs[0]);
    let (batch, channels, groups) = (ty.shape[0], ty.shape[1], op.groups);
    let places = ty.shape[2..].iter().product();
    // In other orders than channels last, a row-major view is normalized.
    let last = is_channels_last(ty) && !ty.is_row_major();
    let layout = match last {
        true => Groups::Interleaved {
            batch,
            groups,
            channels,
            places,
        },
        false => Groups::Together {
            batch,
            groups,
            channels,
            places,
        },
    };
    let (view, shape) = if last {
        (crate::Align::Same, cx.outputs[0].physical_shape())
    } else {
        (cx.logical(0), cx.outputs[0].shape.clone())
    };
    let out = if last {
        crate::Align::Same
    } else {
        cx.physical()
    };
    let affine = cx.inputs.len() == 3;
    kernel(move |args| {
        let x = wide.widen::<B>(view.view(args.take(0)).into_float());
        let affine = affine.then(|| (wide.take(args, 1), wide.take(args, 2)));
        let y = layout.normalize::<B>(x, affine, eps);
        out.lay_out(wide.back(reshape::<B>(y, &shape)))
    })
}

impl Groups {
    fn normalize<B: Backend>(
        self,
        x: FloatTensor<B>,
        affine: Option<(FloatTensor<B>, FloatTensor<B>)>,
        eps: f64,
    ) -> FloatTensor<B> {
        match self {
            Groups::Together {
                batch,
                groups,
                channels,
                places,
            } => {
                let rows = [batch, groups, channels / groups * places];
                let x = reshape::<B>(x, &rows);
                let centred = B::float_sub(x.clone(), B::float_mean_dim(x, 2));
                let square = B::float_mul(centred.clone(), centred.clone());
                let inverse = inverse_deviation::<B>(B::float_mean_dim(square, 2), eps);
                let normed = B::float_mul(centred, inverse);
                let Some((gamma, beta)) = affine else {
                    return normed;
                };
                let y = reshape::<B>(normed, &[batch, channels, places]);
                let y = B::float_mul(y, reshape::<B>(gamma, &[1, channels, 1]));
                B::float_add(y, reshape::<B>(beta, &[1, channels, 1]))
            }
            Groups::Interleaved {
                batch,
                groups,
                channels,
                places,
            } => {
                let x = reshape::<B>(x, &[batch, places, channels]);
                let by_group = |per_channel: FloatTensor<B>| {
                    let split = [batch, groups, channels / groups];
                    let mean = B::float_mean_dim(reshape::<B>(per_channel, &split), 2);
                    reshape::<B>(
                        B::float_expand(mean, Shape::from(split)),
                        &[batch, 1, channels],
                    )
                };
                let mean = by_group(B::float_mean_dim(x.clone(), 1));
                let centred = B::float_sub(x, mean);
                let square = B::float_mul(centred.clone(), centred.clone());
                let variance = by_group(B::float_mean_dim(square, 1));
                let inverse = inverse_deviation::<B>(variance, eps);
                let Some((gamma, beta)) = affine else {
                    return B::float_mul(centred, inverse);
                };
                let scale = B::float_mul(inverse, reshape::<B>(gamma, &[1, 1, channels]));
                B::float_add(
                    B::float_mul(centred, scale),
                    reshape::<B>(beta, &[1, 1, channels]),
                )
            }
        }
    }
}

//! Unary functions on physical tensors.

use burn_backend::{Backend, Scalar, tensor::FloatTensor};
use mirage_ir::{DType, ops::Unary};

use super::{Lowered, NodeContext, accumulator, cast_float, float_map, kernel};
use crate::{Kernel, Tensor, TypedArgs};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    let f = *cx.node.op.get::<Unary>()?;
    let dtype = cx.inputs[0].dtype;
    Some(Ok(if dtype.is_int() {
        integer(f)
    } else {
        float(f, dtype, cx)
    }))
}

fn integer<B: Backend>(f: Unary) -> Kernel<B> {
    kernel(move |args| {
        let x = args.int(0);
        Tensor::Int(match f {
            Unary::Abs => B::int_abs(x),
            Unary::Neg => B::int_neg(x),
            Unary::Sign => B::int_sign(x),
            Unary::Square => B::int_mul(x.clone(), x),
            other => unreachable!("{other:?} takes no integers"),
        })
    })
}

fn float<B: Backend>(f: Unary, dtype: DType, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (storage, bool) = (cx.storage, cx.storage.bool());
    match f {
        Unary::Not => kernel(|args| Tensor::Bool(B::bool_not(args.bool(0)))),
        Unary::IsNan => kernel(move |args| Tensor::Bool(B::float_is_nan(args.float(0), bool))),
        Unary::IsInf => kernel(move |args| Tensor::Bool(B::float_is_inf(args.float(0), bool))),
        Unary::Abs => float_map(B::float_abs),
        Unary::Acos => float_map(B::float_acos),
        Unary::Asin => float_map(B::float_asin),
        Unary::Atan => float_map(B::float_atan),
        Unary::Ceil => float_map(B::float_ceil),
        Unary::Cos => float_map(B::float_cos),
        Unary::Cosh => float_map(B::float_cosh),
        Unary::Erf => float_map(B::float_erf),
        Unary::Exp => float_map(B::float_exp),
        Unary::Floor => float_map(B::float_floor),
        Unary::Gelu => float_map(B::gelu),
        Unary::GeluTanh => float_map(move |x: FloatTensor<B>| {
            let wide = accumulator(dtype);
            let y = gelu_tanh::<B>(cast_float::<B>(x, dtype, wide, &storage));
            cast_float::<B>(y, wide, dtype, &storage)
        }),
        Unary::Log => float_map(B::float_log),
        Unary::Log1p => float_map(B::float_log1p),
        Unary::Neg => float_map(B::float_neg),
        Unary::Recip => float_map(B::float_recip),
        Unary::Relu => float_map(B::relu),
        Unary::Round => float_map(B::float_round),
        Unary::Rsqrt => float_map(|x: FloatTensor<B>| B::float_recip(B::float_sqrt(x))),
        Unary::Sigmoid => float_map(B::sigmoid),
        Unary::Sign => float_map(B::float_sign),
        Unary::Silu => float_map(|x: FloatTensor<B>| B::float_mul(B::sigmoid(x.clone()), x)),
        Unary::Sin => float_map(B::float_sin),
        Unary::Sinh => float_map(B::float_sinh),
        Unary::Sqrt => float_map(B::float_sqrt),
        Unary::Square => float_map(|x: FloatTensor<B>| B::float_mul(x.clone(), x)),
        Unary::Tan => float_map(B::float_tan),
        Unary::Tanh => float_map(B::float_tanh),
        Unary::Trunc => float_map(B::float_trunc),
    }
}

/// Computes x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2.
fn gelu_tanh<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    const FACTOR: f64 = 0.797_884_560_802_865_4;
    let cubic = B::float_mul_scalar(B::float_mul(x.clone(), x.clone()), Scalar::Float(0.044715));
    let inner = B::float_mul(B::float_add_scalar(cubic, Scalar::Float(1.0)), x.clone());
    let tanh = B::float_tanh(B::float_mul_scalar(inner, Scalar::Float(FACTOR)));
    let half = B::float_mul_scalar(x, Scalar::Float(0.5));
    B::float_mul(B::float_add_scalar(tanh, Scalar::Float(1.0)), half)
}

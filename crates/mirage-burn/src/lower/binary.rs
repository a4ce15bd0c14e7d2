//! Binary functions and `select`, on tensors in the order of the result; broadcast operands are permuted
//! views.

use burn_backend::{
    Backend, BoolDType, Scalar,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use mirage_ir::{
    Scalar as Value,
    ops::{Binary, Select, WithScalar},
};

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(f) = cx.node.op.get::<Binary>() {
        Some(Ok(binary(*f, cx)))
    } else if let Some(op) = cx.node.op.get::<WithScalar>() {
        Some(Ok(with_scalar(op.f, op.value, cx)))
    } else {
        cx.node.op.get::<Select>().map(|_| Ok(select(cx)))
    }
}

fn binary<B: Backend>(f: Binary, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (a, b) = (cx.in_result_order(0), cx.in_result_order(1));
    let store = cx.storage.bool();
    let shape = cx.outputs[0].physical_shape();
    kernel(move |args| {
        let (a, b) = (a.view(args.take(0)), b.view(args.take(1)));
        match (a, b) {
            (Tensor::Float(a), Tensor::Float(b)) => floats::<B>(f, a, b, store, &shape),
            (Tensor::Int(a), Tensor::Int(b)) => integers::<B>(f, a, b, store, &shape),
            (a, b) => Tensor::Bool(bools::<B>(f, a.into_bool(), b.into_bool())),
        }
    })
}

fn floats<B: Backend>(
    f: Binary,
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    store: BoolDType,
    shape: &[usize],
) -> Tensor<B> {
    use Binary::*;
    Tensor::Float(match f {
        Add => B::float_add(a, b),
        Sub => B::float_sub(a, b),
        Mul => B::float_mul(a, b),
        Div => B::float_div(a, b),
        Rem => B::float_remainder(a, b),
        Pow => B::float_powf(a, b),
        Max => {
            return choose::<B, _>(
                B::float_lower(a.clone(), b.clone(), store),
                b,
                a,
                Tensor::Float,
                shape,
            );
        }
        Min => {
            return choose::<B, _>(
                B::float_lower(a.clone(), b.clone(), store),
                a,
                b,
                Tensor::Float,
                shape,
            );
        }
        Eq => return Tensor::Bool(B::float_equal(a, b, store)),
        Ne => return Tensor::Bool(B::float_not_equal(a, b, store)),
        Lt => return Tensor::Bool(B::float_lower(a, b, store)),
        Le => return Tensor::Bool(B::float_lower_equal(a, b, store)),
        Gt => return Tensor::Bool(B::float_greater(a, b, store)),
        Ge => return Tensor::Bool(B::float_greater_equal(a, b, store)),
        And | Or | Xor => unreachable!("{f:?} takes bools"),
    })
}

fn integers<B: Backend>(
    f: Binary,
    a: IntTensor<B>,
    b: IntTensor<B>,
    store: BoolDType,
    shape: &[usize],
) -> Tensor<B> {
    use Binary::*;
    Tensor::Int(match f {
        Add => B::int_add(a, b),
        Sub => B::int_sub(a, b),
        Mul => B::int_mul(a, b),
        Div => B::int_div(a, b),
        Rem => B::int_remainder(a, b),
        Max => {
            return choose::<B, _>(
                B::int_lower(a.clone(), b.clone(), store),
                b,
                a,
                Tensor::Int,
                shape,
            );
        }
        Min => {
            return choose::<B, _>(
                B::int_lower(a.clone(), b.clone(), store),
                a,
                b,
                Tensor::Int,
                shape,
            );
        }
        Eq => return Tensor::Bool(B::int_equal(a, b, store)),
        Ne => return Tensor::Bool(B::int_not_equal(a, b, store)),
        Lt => return Tensor::Bool(B::int_lower(a, b, store)),
        Le => return Tensor::Bool(B::int_lower_equal(a, b, store)),
        Gt => return Tensor::Bool(B::int_greater(a, b, store)),
        Ge => return Tensor::Bool(B::int_greater_equal(a, b, store)),
        And | Or | Xor | Pow => unreachable!("{f:?} takes no integers"),
    })
}

fn bools<B: Backend>(f: Binary, a: BoolTensor<B>, b: BoolTensor<B>) -> BoolTensor<B> {
    match f {
        Binary::And => B::bool_and(a, b),
        Binary::Or => B::bool_or(a, b),
        Binary::Xor | Binary::Ne => B::bool_not_equal(a, b),
        Binary::Eq => B::bool_equal(a, b),
        other => unreachable!("{other:?} takes no bools"),
    }
}

/// Returns `yes` where the mask is true, else `no`, all broadcast to `shape`.
fn choose<B: Backend, T>(
    mask: BoolTensor<B>,
    yes: T,
    no: T,
    kind: fn(T) -> Tensor<B>,
    shape: &[usize],
) -> Tensor<B> {
    let (yes, no) = (stretch(kind(yes), shape), stretch(kind(no), shape));
    no.mask_where(mask, yes)
}

fn stretch<B: Backend>(tensor: Tensor<B>, shape: &[usize]) -> Tensor<B> {
    if tensor.shape() == shape {
        tensor
    } else {
        tensor.expand(shape)
    }
}

fn select<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let [condition, a, b] = [0, 1, 2].map(|i| cx.in_result_order(i));
    let shape = cx.outputs[0].physical_shape();
    kernel(move |args| {
        let mask = stretch(condition.view(args.take(0)), &shape).into_bool();
        let a = stretch(a.view(args.take(1)), &shape);
        let b = stretch(b.view(args.take(2)), &shape);
        b.mask_where(mask, a)
    })
}

fn with_scalar<B: Backend>(f: Binary, value: Value, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let store = cx.storage.bool();
    kernel(move |args| match args.take(0) {
        Tensor::Float(x) => float_scalar::<B>(f, x, Scalar::Float(value.as_f64()), store),
        Tensor::Int(x) => int_scalar::<B>(f, x, Scalar::Int(value.as_i64()), store),
        Tensor::Bool(x) => Tensor::Bool(bool_scalar::<B>(f, x, value.as_f64() != 0.0)),
    })
}

fn float_scalar<B: Backend>(
    f: Binary,
    x: FloatTensor<B>,
    value: Scalar,
    store: BoolDType,
) -> Tensor<B> {
    use Binary::*;
    Tensor::Float(match f {
        Add => B::float_add_scalar(x, value),
        Sub => B::float_sub_scalar(x, value),
        Mul => B::float_mul_scalar(x, value),
        Div => B::float_div_scalar(x, value),
        Rem => B::float_remainder_scalar(x, value),
        Pow => B::float_powf_scalar(x, value),
        Max => B::float_clamp_min(x, value),
        Min => B::float_clamp_max(x, value),
        Eq => return Tensor::Bool(B::float_equal_elem(x, value, store)),
        Ne => return Tensor::Bool(B::float_not_equal_elem(x, value, store)),
        Lt => return Tensor::Bool(B::float_lower_elem(x, value, store)),
        Le => return Tensor::Bool(B::float_lower_equal_elem(x, value, store)),
        Gt => return Tensor::Bool(B::float_greater_elem(x, value, store)),
        Ge => return Tensor::Bool(B::float_greater_equal_elem(x, value, store)),
        And | Or | Xor => unreachable!("{f:?} takes bools"),
    })
}

fn int_scalar<B: Backend>(
    f: Binary,
    x: IntTensor<B>,
    value: Scalar,
    store: BoolDType,
) -> Tensor<B> {
    use Binary::*;
    Tensor::Int(match f {
        Add => B::int_add_scalar(x, value),
        Sub => B::int_sub_scalar(x, value),
        Mul => B::int_mul_scalar(x, value),
        Div => B::int_div_scalar(x, value),
        Rem => B::int_remainder_scalar(x, value),
        Max => B::int_clamp_min(x, value),
        Min => B::int_clamp_max(x, value),
        Eq => return Tensor::Bool(B::int_equal_elem(x, value, store)),
        Ne => return Tensor::Bool(B::int_not_equal_elem(x, value, store)),
        Lt => return Tensor::Bool(B::int_lower_elem(x, value, store)),
        Le => return Tensor::Bool(B::int_lower_equal_elem(x, value, store)),
        Gt => return Tensor::Bool(B::int_greater_elem(x, value, store)),
        Ge => return Tensor::Bool(B::int_greater_equal_elem(x, value, store)),
        And | Or | Xor | Pow => unreachable!("{f:?} takes no integers"),
    })
}

fn bool_scalar<B: Backend>(f: Binary, x: BoolTensor<B>, value: bool) -> BoolTensor<B> {
    match (f, value) {
        (Binary::And, true) | (Binary::Or | Binary::Xor | Binary::Ne, false) => x,
        (Binary::Eq, _) => B::bool_equal_elem(x, Scalar::Bool(value)),
        (Binary::Xor | Binary::Ne, true) => B::bool_not(x),
        (Binary::And, false) => B::bool_and(x.clone(), B::bool_not(x)),
        (Binary::Or, true) => B::bool_or(x.clone(), B::bool_not(x)),
        (other, _) => unreachable!("{other:?} takes no bools"),
    }
}

//! Conversion of dtypes and memory orders.

use burn_backend::{Backend, Scalar};
use mirage_ir::ops::{Cast, Reorder};

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if cx.node.op.is::<Cast>() {
        return Some(Ok(cast(cx)));
    }
    cx.node.op.get::<Reorder>().map(|_| {
        let align = cx.in_result_order(0);
        Ok(kernel(move |args| align.lay_out(args.take(0))))
    })
}

fn cast<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (from, to) = (cx.inputs[0].dtype, cx.outputs[0].dtype);
    let storage = cx.storage;
    kernel(move |args| {
        let x = args.take(0);
        if from == to {
            return x;
        }
        match x {
            Tensor::Float(x) if to.is_float() => Tensor::Float(B::float_cast(x, storage.float(to))),
            Tensor::Float(x) if to.is_int() => Tensor::Int(B::float_into_int(x, storage.int(to))),
            Tensor::Float(x) => Tensor::Bool(B::float_not_equal_elem(
                x,
                Scalar::Float(0.0),
                storage.bool(),
            )),
            Tensor::Int(x) if to.is_float() => {
                Tensor::Float(B::int_into_float(x, storage.float(to)))
            }
            Tensor::Int(x) if to.is_int() => Tensor::Int(B::int_cast(x, storage.int(to))),
            Tensor::Int(x) => {
                Tensor::Bool(B::int_not_equal_elem(x, Scalar::Int(0), storage.bool()))
            }
            Tensor::Bool(x) if to.is_float() => {
                Tensor::Float(B::bool_into_float(x, storage.float(to)))
            }
            Tensor::Bool(x) => Tensor::Int(B::bool_into_int(x, storage.int(to))),
        }
    })
}

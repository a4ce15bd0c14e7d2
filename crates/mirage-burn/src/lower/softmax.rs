//! Softmax on physical tensors. Half precision is summed in f32.

use burn_backend::{Backend, tensor::FloatTensor};
use mirage_ir::ops::Softmax;

use super::{Lowered, NodeContext, accumulator, cast_float, float_map};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    let op = cx.node.op.get::<Softmax>()?;
    let (dim, dtype, storage) = (cx.place(op.dim), cx.inputs[0].dtype, cx.storage);
    let wide = accumulator(dtype);
    Some(Ok(float_map(move |x: FloatTensor<B>| {
        let y = B::softmax(cast_float::<B>(x, dtype, wide, &storage), dim);
        cast_float::<B>(y, wide, dtype, &storage)
    })))
}

//! Constants.

use burn_backend::{Backend, bf16, f16};
use mirage_ir::{
    DType, Scalar, TensorData,
    ops::{Constant, Full},
};

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    let (storage, device) = (cx.storage, cx.engine.device().clone());
    if let Some(op) = cx.node.op.get::<Full>() {
        let (shape, dtype, value) = (op.ty.physical_shape(), op.ty.dtype, op.value);
        return Some(Ok(kernel(move |_| {
            Tensor::full(&shape, value, dtype, &storage, &device)
        })));
    }
    Some(constant(cx.node.op.get::<Constant>()?, cx))
}

fn constant<B: Backend>(op: &Constant, cx: &NodeContext<'_, B>) -> Result<Kernel<B>, String> {
    let (storage, device, align) = (cx.storage, cx.engine.device().clone(), cx.physical());
    let mut bytes = Vec::with_capacity(op.ty.bytes());
    op.values
        .iter()
        .for_each(|&v| encode(v, op.ty.dtype, &mut bytes));
    let data = TensorData::new(op.ty.dtype, &op.ty.shape[..], bytes)?;
    Ok(kernel(move |_| {
        align.lay_out(Tensor::from_data(&data, &storage, &device))
    }))
}

/// Appends an element's bytes.
fn encode(value: Scalar, dtype: DType, bytes: &mut Vec<u8>) {
    let (float, int) = (value.as_f64(), value.as_i64());
    match dtype {
        DType::F64 => bytes.extend(float.to_le_bytes()),
        DType::F32 => bytes.extend((float as f32).to_le_bytes()),
        DType::F16 => bytes.extend(f16::from_f64(float).to_le_bytes()),
        DType::BF16 => bytes.extend(bf16::from_f64(float).to_le_bytes()),
        DType::Bool => bytes.push(u8::from(float != 0.0)),
        // Two's complement: the low bytes are the narrower integer.
        _ => bytes.extend(&int.to_le_bytes()[..dtype.size()]),
    }
}

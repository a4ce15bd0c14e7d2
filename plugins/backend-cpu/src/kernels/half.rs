//! Widens f16, bf16 and u8 operands of f32 kernels, and rounds their results, each in one sweep. Between
//! operations values keep their dtype.

use burn_backend::{Bytes, DType as BurnDType, Shape};
use burn_flex::{FlexTensor, Layout};
use half::{bf16, f16, slice::HalfFloatSliceExt};
use mirage_ir::{DType, TensorType};

use super::{
    flex::{bytes, in_sequence, tensor},
    memory::Pool,
};

/// Returns the type with f32 instead of f16 and bf16.
pub(crate) fn wide(ty: &TensorType) -> TensorType {
    match ty.dtype {
        DType::F16 | DType::BF16 => ty.clone().with_dtype(DType::F32),
        _ => ty.clone(),
    }
}

/// Converts a tensor of f16, bf16 or u8 to contiguous f32 in memory of the pool; returns others unchanged.
pub(crate) fn widen(x: FlexTensor, pool: &Pool) -> FlexTensor {
    if !matches!(x.dtype(), BurnDType::F16 | BurnDType::BF16 | BurnDType::U8) {
        return x;
    }
    let x = in_sequence(x);
    let shape = x.layout().shape().to_vec();
    let mut wide = pool.take(x.layout().num_elements());
    if let Some(halves) = x.as_slice::<f16>() {
        halves.convert_to_f32_slice(&mut wide);
    } else if let Some(halves) = x.as_slice::<bf16>() {
        halves.convert_to_f32_slice(&mut wide);
    } else {
        let pairs = wide.iter_mut().zip(bytes(&x));
        pairs.for_each(|(wide, byte)| *wide = f32::from(*byte));
    }
    tensor(wide, &shape).into_float()
}

/// Rounds a contiguous f32 tensor to f16 or bf16, or truncates it to u8, if `dtype` is one of them.
pub(crate) fn narrow(x: FlexTensor, dtype: DType, pool: &Pool) -> FlexTensor {
    let Some(elements) = x.as_slice::<f32>() else {
        return x;
    };
    let layout = Layout::contiguous(Shape::from(x.layout().shape().to_vec()));
    let narrow = match dtype {
        DType::F16 => {
            let mut halves = vec![f16::ZERO; elements.len()];
            halves.convert_from_f32_slice(elements);
            FlexTensor::new(Bytes::from_elems(halves), layout, BurnDType::F16)
        }
        DType::BF16 => {
            let mut halves = vec![bf16::ZERO; elements.len()];
            halves.convert_from_f32_slice(elements);
            FlexTensor::new(Bytes::from_elems(halves), layout, BurnDType::BF16)
        }
        DType::U8 => {
            // `as` saturates and converts NaN to 0, like a cast.
            let bytes: Vec<u8> = elements.iter().map(|&x| x as u8).collect();
            FlexTensor::new(Bytes::from_elems(bytes), layout, BurnDType::U8)
        }
        _ => return x,
    };
    pool.give(x);
    narrow
}

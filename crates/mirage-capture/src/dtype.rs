//! Converts burn's element types, shapes and scalars.

use burn_backend::Shape;
use burn_ir::{ScalarIr, TensorIr};
use mirage_ir::{DType, Scalar, TensorType};

/// Returns the graph's dtype for burn's; `None` for quantized and mixed types. All forms of bool are one
/// dtype.
pub fn dtype(dtype: burn_backend::DType) -> Option<DType> {
    use burn_backend::DType as B;
    Some(match dtype {
        B::F64 => DType::F64,
        B::F32 => DType::F32,
        B::F16 => DType::F16,
        B::BF16 => DType::BF16,
        B::I64 => DType::I64,
        B::I32 => DType::I32,
        B::I16 => DType::I16,
        B::I8 => DType::I8,
        B::U64 => DType::U64,
        B::U32 => DType::U32,
        B::U16 => DType::U16,
        B::U8 => DType::U8,
        B::Bool(_) => DType::Bool,
        B::Flex32 | B::QFloat(_) => return None,
    })
}

/// Returns burn's dtype for the graph's. A bool is a byte.
pub(crate) fn burn_dtype(dtype: DType) -> burn_backend::DType {
    use burn_backend::DType as B;
    match dtype {
        DType::F64 => B::F64,
        DType::F32 => B::F32,
        DType::F16 => B::F16,
        DType::BF16 => B::BF16,
        DType::I64 => B::I64,
        DType::I32 => B::I32,
        DType::I16 => B::I16,
        DType::I8 => B::I8,
        DType::U64 => B::U64,
        DType::U32 => B::U32,
        DType::U16 => B::U16,
        DType::U8 => B::U8,
        DType::Bool => B::Bool(burn_backend::BoolStore::U8),
    }
}

/// Returns the lengths of a shape.
pub(crate) fn dims(shape: &Shape) -> Vec<usize> {
    shape.iter().copied().collect()
}

/// Returns the row-major type of a recorded tensor.
pub(crate) fn tensor_type(tensor: &TensorIr) -> Option<TensorType> {
    Some(TensorType::new(dtype(tensor.dtype)?, dims(&tensor.shape)))
}

/// Converts a scalar to `dtype`, if that is exact (a float dtype accepts every number).
pub(crate) fn scalar(value: ScalarIr, dtype: DType) -> Option<Scalar> {
    if dtype.is_float() {
        return Some(Scalar::Float(match value {
            ScalarIr::Float(x) => x,
            ScalarIr::Int(x) => x as f64,
            ScalarIr::UInt(x) => x as f64,
            ScalarIr::Bool(x) => f64::from(u8::from(x)),
        }));
    }
    if dtype == DType::Bool {
        return match value {
            ScalarIr::Bool(x) => Some(Scalar::Bool(x)),
            ScalarIr::Int(x @ (0 | 1)) => Some(Scalar::Bool(x == 1)),
            ScalarIr::UInt(x @ (0 | 1)) => Some(Scalar::Bool(x == 1)),
            _ => None,
        };
    }
    match value {
        ScalarIr::Int(x) => Some(Scalar::Int(x)),
        ScalarIr::UInt(x) => i64::try_from(x).ok().map(Scalar::Int),
        ScalarIr::Bool(x) => Some(Scalar::Int(i64::from(x))),
        // Beyond 2^53, the float may not be the intended integer.
        ScalarIr::Float(x) => {
            (x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0).then_some(Scalar::Int(x as i64))
        }
    }
}

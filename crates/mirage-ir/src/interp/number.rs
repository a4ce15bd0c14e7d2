//! Rounding and wrapping numbers to a dtype.

use half::{bf16, f16};

use crate::{DType, OpError, op_bail};

/// The value of the float dtype that is nearest to `value`, ties to even; beyond the largest one,
/// infinity. For a dtype that is not a float, `value` as it is.
pub fn round_to(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(value as f32),
        DType::F16 => f16::from_f32(round_to_odd(value)).to_f64(),
        DType::BF16 => bf16::from_f32(round_to_odd(value)).to_f64(),
        _ => value,
    }
}

/// `value` as f32; if it is not exact, the neighbour whose last bit is 1. Rounding that once more,
/// to a type with at least two bits less, gives what rounding `value` at once would have given,
/// which rounding to nearest twice does not.
fn round_to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    if nearest.is_nan() || f64::from(nearest) == value {
        return nearest;
    }
    let away = f64::from(nearest).abs() > value.abs();
    f32::from_bits((nearest.to_bits() - u32::from(away)) | 1)
}

/// The value of an integer dtype that equals `value` modulo two to the power of its width. An error
/// for a u64 of 2⁶³ or more, which a [`Tensor`](super::Tensor) cannot hold.
pub fn wrap(value: i128, dtype: DType) -> Result<i64, OpError> {
    Ok(match dtype {
        DType::I64 => value as i64,
        DType::I32 => i64::from(value as i32),
        DType::I16 => i64::from(value as i16),
        DType::I8 => i64::from(value as i8),
        DType::U64 => return from_u64(value as u64),
        DType::U32 => i64::from(value as u32),
        DType::U16 => i64::from(value as u16),
        DType::U8 => i64::from(value as u8),
        other => op_bail!("{other} is not an integer dtype"),
    })
}

/// `value` truncated toward zero, and at most the largest and at least the smallest value of an
/// integer dtype; 0 for NaN. An error for a u64 of 2⁶³ or more, which a [`Tensor`](super::Tensor)
/// cannot hold.
pub fn saturate(value: f64, dtype: DType) -> Result<i64, OpError> {
    Ok(match dtype {
        DType::I64 => value as i64,
        DType::I32 => i64::from(value as i32),
        DType::I16 => i64::from(value as i16),
        DType::I8 => i64::from(value as i8),
        DType::U64 => return from_u64(value as u64),
        DType::U32 => i64::from(value as u32),
        DType::U16 => i64::from(value as u16),
        DType::U8 => i64::from(value as u8),
        other => op_bail!("{other} is not an integer dtype"),
    })
}

/// A u64 as an element of a tensor.
pub(super) fn from_u64(value: u64) -> Result<i64, OpError> {
    i64::try_from(value).map_err(|_| {
        OpError::new(format!(
            "{value} of u64 is beyond 2^63-1, the interpreter's largest integer"
        ))
    })
}

/// An index into a dimension of `len` elements, or an error if it is out of range.
pub(crate) fn checked_index(index: i64, len: usize) -> Result<usize, OpError> {
    usize::try_from(index)
        .ok()
        .filter(|&i| i < len)
        .ok_or_else(|| {
            OpError::new(format!(
                "index {index} is out of range: the dimension has {len} elements"
            ))
        })
}

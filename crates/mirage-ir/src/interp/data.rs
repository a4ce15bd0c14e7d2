//! Tensors from bytes and to bytes.

use half::{bf16, f16};

use super::{
    Elements, Tensor,
    number::{from_u64, round_to, wrap},
};
use crate::{DType, OpError, TensorData, op_bail, op_ensure};

impl Tensor {
    /// The elements of `data`, exactly. An error for a u64 of 2⁶³ or more.
    pub fn from_data(data: &TensorData) -> Result<Self, OpError> {
        let bytes = data.bytes();
        let elements = match data.dtype {
            DType::F64 => Elements::Float(read(bytes, f64::from_le_bytes)),
            DType::F32 => Elements::Float(read(bytes, |b| f64::from(f32::from_le_bytes(b)))),
            DType::F16 => Elements::Float(read(bytes, |b| f16::from_le_bytes(b).to_f64())),
            DType::BF16 => Elements::Float(read(bytes, |b| bf16::from_le_bytes(b).to_f64())),
            DType::I64 => Elements::Int(read(bytes, i64::from_le_bytes)),
            DType::I32 => Elements::Int(read(bytes, |b| i64::from(i32::from_le_bytes(b)))),
            DType::I16 => Elements::Int(read(bytes, |b| i64::from(i16::from_le_bytes(b)))),
            DType::I8 => Elements::Int(read(bytes, |b| i64::from(i8::from_le_bytes(b)))),
            DType::U64 => Elements::Int(
                read(bytes, u64::from_le_bytes)
                    .into_iter()
                    .map(from_u64)
                    .collect::<Result<_, _>>()?,
            ),
            DType::U32 => Elements::Int(read(bytes, |b| i64::from(u32::from_le_bytes(b)))),
            DType::U16 => Elements::Int(read(bytes, |b| i64::from(u16::from_le_bytes(b)))),
            DType::U8 => Elements::Int(read(bytes, |b: [u8; 1]| i64::from(b[0]))),
            DType::Bool => Elements::Bool(read(bytes, |b: [u8; 1]| b[0] != 0)),
        };
        Tensor::new(data.shape.clone(), elements)
    }

    /// The elements as bytes of `dtype`, which must be of their class: floats are rounded to
    /// nearest even, integers must be values of the dtype.
    pub fn to_data(&self, dtype: DType) -> Result<TensorData, OpError> {
        let mut bytes = Vec::with_capacity(self.numel() * dtype.size());
        match self.elements() {
            Elements::Float(v) if dtype.is_float() => {
                v.iter().for_each(|&x| write_float(&mut bytes, x, dtype));
            }
            Elements::Int(v) if dtype.is_int() => {
                for &x in v {
                    op_ensure!(
                        wrap(i128::from(x), dtype)? == x,
                        "{x} is not a value of {dtype}"
                    );
                    // Little endian: the first bytes are the narrower integer.
                    bytes.extend_from_slice(&x.to_le_bytes()[..dtype.size()]);
                }
            }
            Elements::Bool(v) if dtype == DType::Bool => {
                bytes.extend(v.iter().map(|&b| u8::from(b)))
            }
            other => op_bail!(
                "{} cannot be written as {dtype}: a cast must come first",
                other.class()
            ),
        }
        TensorData::new(dtype, self.shape(), bytes).map_err(OpError::new)
    }

    /// The tensor as it comes back from being held in `dtype`: floats rounded to it.
    pub fn rounded(&self, dtype: DType) -> Result<Self, OpError> {
        Tensor::from_data(&self.to_data(dtype)?)
    }
}

fn read<const N: usize, T>(bytes: &[u8], element: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&b| element(b)).collect()
}

fn write_float(bytes: &mut Vec<u8>, value: f64, dtype: DType) {
    // Already a value of the dtype, so that the narrowing below is exact.
    let x = round_to(value, dtype);
    match dtype {
        DType::F16 => bytes.extend(f16::from_f64(x).to_le_bytes()),
        DType::BF16 => bytes.extend(bf16::from_f64(x).to_le_bytes()),
        DType::F32 => bytes.extend((x as f32).to_le_bytes()),
        _ => bytes.extend(x.to_le_bytes()),
    }
}

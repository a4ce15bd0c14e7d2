//! Elements on the host: f32 to and from halves.

use half::{bf16, f16};
use mirage_ir::{DType, TensorData};

/// Whether a dtype is one of halves.
pub(super) fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// f32 elements in another dtype of floats, rounded to nearest.
pub(super) fn narrowed(data: TensorData, dtype: DType) -> Result<TensorData, String> {
    let round = |round: fn(f32) -> [u8; 2]| {
        let bytes: Vec<u8> = floats(data.bytes()).flat_map(round).collect();
        TensorData::new(dtype, data.shape.clone(), bytes)
    };
    match dtype {
        DType::F16 => round(|x| f16::from_f32(x).to_le_bytes()),
        DType::BF16 => round(|x| bf16::from_f32(x).to_le_bytes()),
        DType::F32 => Ok(data),
        _ => Err(format!("f32 elements cannot stand for {dtype}")),
    }
}

/// Elements of a dtype of floats as f32.
pub(super) fn to_f32(data: &TensorData) -> Vec<f32> {
    let halves = || data.bytes().chunks_exact(2).map(|b| [b[0], b[1]]);
    match data.dtype {
        DType::F16 => halves().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
        DType::BF16 => halves().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        _ => floats(data.bytes()).collect(),
    }
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks_exact(4).map(float)
}

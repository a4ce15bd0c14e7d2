//! Floats on the host as bytes of a dtype of floats.

use half::{bf16, f16};
use mirage_ir::{DType, TensorData};

/// Whether a dtype is one of halves.
pub(super) fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// Writes floats as bytes of a dtype of floats, rounded to nearest.
pub(super) fn write(values: &[f32], dtype: DType, bytes: &mut [u8]) {
    match dtype {
        DType::F16 => halves(values, bytes, |x| f16::from_f32(x).to_le_bytes()),
        DType::BF16 => halves(values, bytes, |x| bf16::from_f32(x).to_le_bytes()),
        _ => {
            let pieces = bytes.as_chunks_mut::<4>().0;
            pieces
                .iter_mut()
                .zip(values)
                .for_each(|(b, x)| *b = x.to_le_bytes());
        }
    }
}

fn halves(values: &[f32], bytes: &mut [u8], round: impl Fn(f32) -> [u8; 2]) {
    let pieces = bytes.as_chunks_mut::<2>().0;
    pieces
        .iter_mut()
        .zip(values)
        .for_each(|(b, x)| *b = round(*x));
}

/// Reads floats from bytes of a dtype of floats.
pub(super) fn read(bytes: &[u8], dtype: DType, values: &mut [f32]) {
    let halves = bytes.as_chunks::<2>().0;
    match dtype {
        DType::F16 => fill(values, halves, |b| f16::from_le_bytes(b).to_f32()),
        DType::BF16 => fill(values, halves, |b| bf16::from_le_bytes(b).to_f32()),
        _ => fill(values, bytes.as_chunks::<4>().0, f32::from_le_bytes),
    }
}

fn fill<T: Copy>(values: &mut [f32], elements: &[T], f: impl Fn(T) -> f32) {
    let pairs = values.iter_mut().zip(elements);
    pairs.for_each(|(x, element)| *x = f(*element));
}

/// Elements of a dtype of floats as f32.
pub(super) fn to_f32(data: &TensorData) -> Vec<f32> {
    let mut values = vec![0.0; data.numel()];
    read(data.bytes(), data.dtype, &mut values);
    values
}

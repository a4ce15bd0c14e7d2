//! Converts f16, bf16 and u8, which are bytes in planned memory, to and from f32.

use half::{
    bf16, f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use mirage_ir::DType;
use rayon::prelude::*;

/// Smaller tensors are not divided among threads.
const WORTH_DIVIDING: usize = 16 << 10;

/// Number of f16 elements that are converted at a time.
const PIECE: usize = 512;

/// Whether kernels compute this dtype in f32, with operands widened and results rounded.
pub(super) fn is_narrow(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::U8)
}

/// Writes elements as f32.
pub(super) fn widen(dtype: DType, narrow: &[u8], wide: &mut [f32]) {
    let share = share(wide.len());
    if dtype == DType::U8 {
        let all = narrow.par_chunks(share).zip(wide.par_chunks_mut(share));
        return all.for_each(|(bytes, wide)| {
            let pairs = wide.iter_mut().zip(bytes);
            pairs.for_each(|(wide, byte)| *wide = f32::from(*byte));
        });
    }
    let one = |(halves, wide): (&[u8], &mut [f32])| {
        let mut bits = [0_u16; PIECE];
        for (halves, wide) in halves.chunks(2 * PIECE).zip(wide.chunks_mut(PIECE)) {
            let bits = &mut bits[..wide.len()];
            for (to, from) in bits.iter_mut().zip(halves.as_chunks::<2>().0) {
                *to = u16::from_le_bytes(*from);
            }
            if dtype == DType::F16 {
                bits.reinterpret_cast::<f16>().convert_to_f32_slice(wide);
            } else {
                bits.reinterpret_cast::<bf16>().convert_to_f32_slice(wide);
            }
        }
    };
    let all = narrow.par_chunks(2 * share).zip(wide.par_chunks_mut(share));
    all.for_each(one);
}

/// Rounds f32 to another dtype like a cast: to nearest for f16 and bf16, truncated and saturated for u8.
pub(super) fn narrow(dtype: DType, wide: &[f32], narrow: &mut [u8]) {
    let share = share(wide.len());
    if dtype == DType::U8 {
        let all = wide.par_chunks(share).zip(narrow.par_chunks_mut(share));
        return all.for_each(|(wide, bytes)| {
            let pairs = bytes.iter_mut().zip(wide);
            // `as` saturates and converts NaN to 0.
            pairs.for_each(|(byte, wide)| *byte = *wide as u8);
        });
    }
    let one = |(wide, halves): (&[f32], &mut [u8])| {
        let mut bits = [0_u16; PIECE];
        for (wide, halves) in wide.chunks(PIECE).zip(halves.chunks_mut(2 * PIECE)) {
            let bits = &mut bits[..wide.len()];
            if dtype == DType::F16 {
                bits.reinterpret_cast_mut::<f16>()
                    .convert_from_f32_slice(wide);
            } else {
                bits.reinterpret_cast_mut::<bf16>()
                    .convert_from_f32_slice(wide);
            }
            for (from, to) in bits.iter().zip(halves.as_chunks_mut::<2>().0) {
                *to = from.to_le_bytes();
            }
        }
    };
    let all = wide.par_chunks(share).zip(narrow.par_chunks_mut(2 * share));
    all.for_each(one);
}

/// Number of elements that a thread processes at a time.
fn share(len: usize) -> usize {
    if len < WORTH_DIVIDING {
        len.max(1)
    } else {
        len.div_ceil(rayon::current_num_threads())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_survive_there_and_back_and_others_are_rounded() {
        for dtype in [DType::F16, DType::BF16] {
            for len in [0, 1, PIECE, 2 * WORTH_DIVIDING + 3] {
                let exact: Vec<f32> = (0..len).map(|i| (i % 64) as f32 * 0.25 - 3.0).collect();
                // Less than half a step away from the half.
                let near: Vec<f32> = exact.iter().map(|x| x * (1.0 + 1e-4)).collect();
                let mut halves = vec![0; 2 * len];
                narrow(dtype, &near, &mut halves);
                let mut wide = vec![f32::NAN; len];
                widen(dtype, &halves, &mut wide);
                assert_eq!(wide, exact, "{dtype}");
            }
        }
    }

    #[test]
    fn bytes_survive_there_and_back_and_others_saturate() {
        let all: Vec<u8> = (0..=255).collect();
        let mut wide = vec![f32::NAN; 256];
        widen(DType::U8, &all, &mut wide);
        assert!(wide.iter().enumerate().all(|(i, &x)| x == i as f32));
        let mut bytes = vec![7; 256];
        narrow(DType::U8, &wide, &mut bytes);
        assert_eq!(bytes, all);
        let odd = [-3.0, 0.99, 254.6, 256.0, f32::INFINITY, f32::NAN];
        narrow(DType::U8, &odd, &mut bytes[..6]);
        assert_eq!(bytes[..6], [0, 0, 254, 255, 255, 0]);
    }
}

//! Memory bandwidth.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use pulp::{Arch, Simd, WithSimd};
use rayon::{ThreadPool, prelude::*};

use super::{best, giga};
use crate::{Cache, CacheKind, Memory, cache};

/// Size of a buffer as a multiple of the last-level caches.
const BEYOND: u64 = 4;
/// Minimum size of a buffer, for small or unknown caches.
const LEAST: u64 = 64 << 20;
/// A buffer is at most free memory divided by this; there are two buffers.
const SHARE: u64 = 8;

pub(super) struct Bandwidth {
    pub(super) copy_gbytes: f64,
    pub(super) read_gbytes: f64,
    pub(super) buffer_bytes: usize,
}

/// Measures copies, then reads, each for the time.
pub(super) fn measure(pool: &ThreadPool, time: Duration) -> Bandwidth {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let bytes = buffer_bytes(&cache::here(), processors, Memory::here());
    let length = (bytes / size_of::<f32>()).max(1);
    let chunk = length.div_ceil(pool.current_num_threads());
    // Every thread writes its own part first, so that its pages are on its memory node.
    let source: Vec<f32> = pool.install(|| (0..length).into_par_iter().map(|_| 1.0).collect());
    let mut target: Vec<f32> = pool.install(|| (0..length).into_par_iter().map(|_| 0.0).collect());
    let bytes = length * size_of::<f32>();
    let copy_gbytes = best(pool, time, |pool| {
        let start = Instant::now();
        pool.install(|| {
            let parts = target.par_chunks_mut(chunk).zip(source.par_chunks(chunk));
            parts.for_each(|(to, from)| black_box(to).copy_from_slice(black_box(from)));
        });
        giga(2.0 * bytes as f64, start.elapsed())
    });
    let arch = Arch::new();
    let read_gbytes = best(pool, time, |pool| {
        let start = Instant::now();
        pool.install(|| {
            let parts = source.par_chunks(chunk);
            parts.for_each(|part| {
                black_box(arch.dispatch(Sum(part)));
            });
        });
        giga(bytes as f64, start.elapsed())
    });
    Bandwidth {
        copy_gbytes,
        read_gbytes,
        buffer_bytes: bytes,
    }
}

/// Returns the size of a buffer: larger than all last-level caches, and at most a part of free memory.
fn buffer_bytes(caches: &[Cache], processors: usize, memory: Option<Memory>) -> usize {
    let last = caches.iter().filter(|c| c.kind != CacheKind::Instruction);
    let cached = last.max_by_key(|c| c.level).map_or(0, |c| {
        c.bytes * processors.div_ceil(c.shared_by.max(1)) as u64
    });
    let wanted = (BEYOND * cached).max(LEAST);
    let bytes = memory.map_or(wanted, |m| wanted.min(m.available / SHARE));
    usize::try_from(bytes).unwrap_or(usize::MAX / 4)
}

/// Sums a slice with eight vectors in parallel.
struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        const WIDE: usize = 8;
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let mut sums = [simd.splat_f32s(0.0); WIDE];
        let (groups, left) = pulp::as_arrays::<WIDE, _>(vectors);
        for group in groups {
            for (sum, &vector) in sums.iter_mut().zip(group) {
                *sum = simd.add_f32s(*sum, vector);
            }
        }
        for &vector in left {
            sums[0] = simd.add_f32s(sums[0], vector);
        }
        let zero = simd.splat_f32s(0.0);
        let sum = sums.iter().fold(zero, |all, &sum| simd.add_f32s(all, sum));
        simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(level: u8, kind: CacheKind, bytes: u64, shared_by: usize) -> Cache {
        Cache {
            level,
            kind,
            bytes,
            shared_by,
        }
    }

    #[test]
    fn a_buffer_is_beyond_every_last_level_cache() {
        let caches = [
            cache(1, CacheKind::Data, 48 << 10, 1),
            cache(3, CacheKind::Unified, 32 << 20, 8),
        ];
        let memory = |available| {
            Some(Memory {
                total: 1 << 40,
                available,
            })
        };
        assert_eq!(buffer_bytes(&caches, 16, memory(1 << 40)), 256 << 20);
        assert_eq!(buffer_bytes(&caches, 16, memory(1 << 30)), 128 << 20);
        assert_eq!(buffer_bytes(&[], 16, None), 64 << 20);
    }

    #[test]
    fn a_sum_leaves_nothing_out() {
        let numbers: Vec<f32> = (0..1013).map(|i| (i % 7) as f32).collect();
        let expected: f32 = numbers.iter().sum();
        assert_eq!(Arch::new().dispatch(Sum(&numbers)), expected);
    }
}

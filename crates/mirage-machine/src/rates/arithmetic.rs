//! Peak rate of multiplications and additions in registers.

use std::{
    hint::black_box,
    sync::Barrier,
    time::{Duration, Instant},
};

use pulp::{Arch, Simd, WithSimd};
use rayon::ThreadPool;

use super::{best, giga};

/// Chains of dependent operations side by side: at least the latency times the units of x86 (Haswell: 5
/// by 2), and with two operands within 16 registers.
const CHAINS: usize = 12;
/// Long compared with starting threads, short compared with a scheduler's time slice.
const BLOCK: Duration = Duration::from_millis(2);

/// Measures the peak of all threads together, in 10⁹ operations a second.
pub(super) fn gflops(pool: &ThreadPool, time: Duration) -> f64 {
    let arch = Arch::new();
    let iterations = calibrate(arch);
    best(pool, time, |pool| {
        let together = Barrier::new(pool.current_num_threads());
        let runs = pool.broadcast(|_| {
            together.wait();
            let start = Instant::now();
            let flops = black_box(arch.dispatch(Chains { iterations }));
            (flops, start, Instant::now())
        });
        // From the first beginning to the last end: threads that take turns on a processor are not
        // counted as if each had it to itself.
        let flops = runs.iter().map(|run| run.0).sum();
        let begin = runs.iter().map(|run| run.1).min();
        let end = runs.iter().map(|run| run.2).max();
        match (begin, end) {
            (Some(begin), Some(end)) => giga(flops, end - begin),
            _ => 0.0,
        }
    })
}

/// Returns the number of iterations of a block.
fn calibrate(arch: Arch) -> usize {
    let mut iterations = 1 << 10;
    loop {
        let start = Instant::now();
        black_box(arch.dispatch(Chains { iterations }));
        let took = start.elapsed();
        if took >= BLOCK / 4 {
            let scale = BLOCK.as_secs_f64() / took.as_secs_f64();
            return ((iterations as f64 * scale) as usize).max(1);
        }
        iterations *= 2;
    }
}

/// Runs the chains; returns the number of operations.
struct Chains {
    iterations: usize,
}

impl WithSimd for Chains {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // x ← 0.5 x + 0.5 stays near 1: no operand is ever subnormal or infinite.
        let half = simd.splat_f32s(black_box(0.5));
        let mut chains = [simd.splat_f32s(black_box(2.0)); CHAINS];
        for _ in 0..self.iterations {
            for chain in &mut chains {
                *chain = simd.mul_add_e_f32s(*chain, half, half);
            }
        }
        let zero = simd.splat_f32s(0.0);
        let sum = chains
            .iter()
            .fold(zero, |sum, &chain| simd.add_f32s(sum, chain));
        black_box(simd.reduce_sum_f32s(sum));
        2.0 * (CHAINS * S::F32_LANES) as f64 * self.iterations as f64
    }
}

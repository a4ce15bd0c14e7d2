//! What arithmetic and memory reach on this machine, measured.

mod arithmetic;
mod bandwidth;

use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateOptions {
    /// Threads that work at once; the default is what the engines use, rayon's.
    pub threads: usize,
    /// The time for all, a second by default. It is a little more where memory is slow: each rate is
    /// measured three times at least.
    pub budget: Duration,
}

impl Default for RateOptions {
    fn default() -> Self {
        RateOptions {
            threads: rayon::current_num_threads(),
            budget: Duration::from_secs(1),
        }
    }
}

/// The best of many short runs each: what other processes took is left out as far as they paused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Threads that worked at once.
    pub threads: usize,
    /// Products and sums of f32 in registers, fused where the processor can, 10⁹ operations a second;
    /// a fused one counts as two.
    pub fma_gflops: f64,
    /// Copying between buffers that no cache holds, 10⁹ bytes a second, read and written ones both
    /// counted.
    pub copy_gbytes: f64,
    /// Summing a buffer that no cache holds, 10⁹ bytes a second.
    pub read_gbytes: f64,
    /// The size of such a buffer, bytes.
    pub buffer_bytes: usize,
}

impl Rates {
    /// The two limits of the roofline model: arithmetic, and the faster of copying and reading.
    pub fn roofline(&self) -> Roofline {
        Roofline {
            gflops: self.fma_gflops,
            gbytes: self.copy_gbytes.max(self.read_gbytes),
        }
    }
}

/// The most that a machine did in a measurement of it (Williams, Waterman and Patterson, CACM 2009).
/// Traffic is that of memory: work whose data stays in caches may exceed it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Floating-point operations, 10⁹ a second.
    pub gflops: f64,
    /// Memory traffic, 10⁹ bytes a second.
    pub gbytes: f64,
}

impl Roofline {
    /// The operations a second, in 10⁹, that so many operations on so many bytes could reach.
    pub fn attainable_gflops(&self, flops: u64, bytes: u64) -> f64 {
        match bytes {
            0 => self.gflops,
            _ => self.gflops.min(self.gbytes * flops as f64 / bytes as f64),
        }
    }
}

/// Why nothing was measured.
#[derive(Debug, Error)]
pub enum RateError {
    /// No thread was asked for.
    #[error("cannot measure the machine with 0 threads; give 1 or more")]
    NoThreads,
    /// The system gave no threads.
    #[error("cannot start {threads} threads to measure the machine: {reason}; give fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system says.
        reason: String,
    },
}

/// Measures arithmetic, copying and reading, with so many threads at once.
///
/// # Errors
/// No thread was asked for, or the system does not give as many.
pub fn measure_rates(options: &RateOptions) -> Result<Rates, RateError> {
    let threads = options.threads;
    if threads == 0 {
        return Err(RateError::NoThreads);
    }
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| RateError::Threads {
            threads,
            reason: e.to_string(),
        })?;
    let fma_gflops = arithmetic::gflops(&pool, options.budget.mul_f64(0.3));
    // Making the buffers takes about as long as measuring with them.
    let memory = bandwidth::measure(&pool, options.budget.mul_f64(0.2));
    Ok(Rates {
        threads,
        fma_gflops,
        copy_gbytes: memory.copy_gbytes,
        read_gbytes: memory.read_gbytes,
        buffer_bytes: memory.buffer_bytes,
    })
}

/// [`measure_rates`] as the two limits of the roofline model.
///
/// # Errors
/// As [`measure_rates`].
pub fn measure_roofline(options: &RateOptions) -> Result<Roofline, RateError> {
    measure_rates(options).map(|rates| rates.roofline())
}

/// The highest of what `run` returns, over the time and three runs at least. The first run, which
/// warms up, does not count.
fn best(pool: &ThreadPool, time: Duration, mut run: impl FnMut(&ThreadPool) -> f64) -> f64 {
    run(pool);
    let start = Instant::now();
    let mut best = 0.0_f64;
    for runs in 0.. {
        if runs >= 3 && start.elapsed() >= time {
            break;
        }
        best = best.max(run(pool));
    }
    best
}

/// A count in a time, in 10⁹ a second.
fn giga(count: f64, time: Duration) -> f64 {
    count / time.as_secs_f64().max(1e-9) / 1e9
}

//! Measured peak rates of arithmetic and memory.

mod arithmetic;
mod bandwidth;

use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Options of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateOptions {
    /// Number of threads; the default is rayon's, which the engines use.
    pub threads: usize,
    /// Total time, a second by default. Slow memory may take a little longer, because each rate is measured at
    /// least three times.
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

/// Peak rates: the best of many short runs, which reduces the influence of other processes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Number of threads.
    pub threads: usize,
    /// Multiplications and additions of f32 in registers, fused if the processor supports it, in 10⁹ operations
    /// a second; a fused one counts two.
    pub fma_gflops: f64,
    /// Copying between buffers larger than all caches, in 10⁹ bytes a second, reads and writes both
    /// counted.
    pub copy_gbytes: f64,
    /// Summing a buffer larger than all caches, in 10⁹ bytes a second.
    pub read_gbytes: f64,
    /// The size of such a buffer in bytes.
    pub buffer_bytes: usize,
}

impl Rates {
    /// Returns the two limits of the roofline model: arithmetic, and the faster of copying and reading.
    pub fn roofline(&self) -> Roofline {
        Roofline {
            gflops: self.fma_gflops,
            gbytes: self.copy_gbytes.max(self.read_gbytes),
        }
    }
}

/// The roofline of a machine (Williams, Waterman and Patterson, CACM 2009).
/// The traffic is that of memory; work whose data stays in caches may exceed it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Peak of floating-point operations, in 10⁹ a second.
    pub gflops: f64,
    /// Peak of memory traffic, in 10⁹ bytes a second.
    pub gbytes: f64,
}

impl Roofline {
    /// Returns the attainable rate for these operations on these bytes, in 10⁹ operations a second.
    pub fn attainable_gflops(&self, flops: u64, bytes: u64) -> f64 {
        match bytes {
            0 => self.gflops,
            _ => self.gflops.min(self.gbytes * flops as f64 / bytes as f64),
        }
    }
}

/// An error of a measurement.
#[derive(Debug, Error)]
pub enum RateError {
    /// The number of threads is 0.
    #[error("cannot measure the machine with 0 threads; use at least 1")]
    NoThreads,
    /// The threads could not be started.
    #[error("cannot start {threads} threads to measure the machine: {reason}; use fewer")]
    Threads {
        /// The requested number of threads.
        threads: usize,
        /// The system's error.
        reason: String,
    },
}

/// Measures arithmetic, copying and reading.
///
/// # Errors
/// If the number of threads is 0 or the threads cannot be started.
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
    // Allocating the buffers takes about as long as measuring with them.
    let memory = bandwidth::measure(&pool, options.budget.mul_f64(0.2));
    Ok(Rates {
        threads,
        fma_gflops,
        copy_gbytes: memory.copy_gbytes,
        read_gbytes: memory.read_gbytes,
        buffer_bytes: memory.buffer_bytes,
    })
}

/// Like [`measure_rates`]; returns the two limits of the roofline model.
///
/// # Errors
/// See [`measure_rates`].
pub fn measure_roofline(options: &RateOptions) -> Result<Roofline, RateError> {
    measure_rates(options).map(|rates| rates.roofline())
}

/// Returns the maximum of what `run` returns, for the time and at least three runs. The first run is a
/// warm-up.
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

/// Returns a count divided by a time, in 10⁹ a second.
fn giga(count: f64, time: Duration) -> f64 {
    count / time.as_secs_f64().max(1e-9) / 1e9
}

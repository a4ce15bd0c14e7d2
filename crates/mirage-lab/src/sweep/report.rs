//! Common parts of the reports.

use std::time::Duration;

use mirage_bench::{
    ledger::{Backend, Machine},
    measure::{MeasureOptions, Series},
    stats::{Interval, Percentiles, Resampling, medians_interval},
};
use serde::{Deserialize, Serialize};

use crate::ids::{backend_id, machine_id};

/// What the numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// The machine.
    pub machine: Machine,
    /// The backend.
    pub backend: Backend,
    /// The seed of untrained weights, inputs and the order.
    pub seed: u64,
    /// The time budget, s.
    pub budget_s: f64,
    /// The time used, s.
    pub elapsed_s: f64,
    /// Whether it was stopped early.
    pub stopped: bool,
    /// Warnings about the load and clock of the machine.
    pub warnings: Vec<String>,
}

impl Setting {
    /// Creates the setting for a backend's device, before measuring.
    pub fn of(
        backend: &dyn mirage_backend::Backend,
        device: usize,
        seed: u64,
        budget: Duration,
    ) -> Self {
        Setting {
            mirage: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine_id(backend, device),
            backend: backend_id(backend),
            seed,
            budget_s: budget.as_secs_f64(),
            elapsed_s: 0.0,
            stopped: false,
            warnings: Vec::new(),
        }
    }
}

/// The outcome of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Outcome {
    /// It was measured.
    Measured,
    /// It was not measured, with the reason, such as memory or time.
    Skipped(String),
    /// It failed, with the message.
    Failed(String),
}

impl Outcome {
    /// Returns why it was not measured.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Outcome::Measured => None,
            Outcome::Skipped(why) | Outcome::Failed(why) => Some(why),
        }
    }
}

/// Times of one execution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// The median, ms.
    pub p50_ms: f64,
    /// The 95th percentile, ms.
    pub p95_ms: f64,
    /// The 95 % interval of the median, ms; null with fewer than 6 samples.
    pub interval_ms: Option<Interval>,
    /// The number of samples.
    pub samples: usize,
    /// Executions per sample.
    pub repeats: u32,
    /// Whether the warm-up was complete before the first sample.
    pub warm: bool,
}

impl Times {
    /// Summarises a series; `None` if it has no samples.
    pub fn of(series: &Series, repeats: u32, resampling: &Resampling) -> Option<Self> {
        let p = Percentiles::of(&series.samples_ms.concat())?;
        let intervals = medians_interval(&[&series.samples_ms], resampling, |m| vec![m[0]]);
        Some(Times {
            p50_ms: p.p50,
            p95_ms: p.p95,
            interval_ms: intervals.ok().and_then(|i| i.first().copied()),
            samples: p.count,
            repeats,
            warm: series.warm,
        })
    }
}

/// Runs of a subject until it has enough samples for an interval: the first, a round of warm-up, and three
/// of two samples.
const RUNS: u32 = 9;

/// Estimates the time to measure a subject whose runs take this long.
pub(crate) fn measuring_time(run: Duration) -> Duration {
    run.saturating_mul(RUNS)
}

/// Returns the outcome of a row that needs more time than is left.
pub(crate) fn no_time(need: Duration, left: Duration) -> Outcome {
    Outcome::Skipped(format!(
        "not enough time: about {need:.1?} needed, {left:.1?} left"
    ))
}

/// Returns the options to measure a part of a sweep within `budget`.
pub(crate) fn part(budget: Duration, seed: u64) -> MeasureOptions {
    MeasureOptions {
        budget,
        max_rounds: 100,
        seed,
        ..MeasureOptions::default()
    }
}

//! What the reports share.

use std::time::Duration;

use mirage_bench::{
    ledger::{Backend, Machine},
    measure::{MeasureOptions, Series},
    stats::{Interval, Percentiles, Resampling, medians_interval},
};
use serde::{Deserialize, Serialize};

use crate::ids::{backend_id, machine_id};

/// What numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// Where it ran.
    pub machine: Machine,
    /// What ran it.
    pub backend: Backend,
    /// The seed of weights, if untrained, of inputs, and of the order.
    pub seed: u64,
    /// The time given, s.
    pub budget_s: f64,
    /// The time taken, s.
    pub elapsed_s: f64,
    /// Whether it was stopped before its time was up.
    pub stopped: bool,
    /// What makes the times doubtful: a busy machine, a slow clock.
    pub warnings: Vec<String>,
}

impl Setting {
    /// Of a backend's device, before anything was measured.
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

/// Whether something was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Outcome {
    /// It was.
    Measured,
    /// It was not begun, since it would not fit memory or time.
    Skipped(String),
    /// It failed, and why.
    Failed(String),
}

impl Outcome {
    /// Why it was not measured.
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
    /// Samples.
    pub samples: usize,
    /// Executions behind each sample.
    pub repeats: u32,
    /// Whether it was warm by the rule when the first sample was taken.
    pub warm: bool,
}

impl Times {
    /// Of a series, `None` if it has no samples.
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

/// Runs that a subject makes until it has enough samples for an interval: the first, a round of
/// warm-up, and three of two samples.
const RUNS: u32 = 9;

/// What a subject of which a run takes so long needs to be measured.
pub(crate) fn measuring_time(run: Duration) -> Duration {
    run.saturating_mul(RUNS)
}

/// Why something that takes `need` is not begun with `left` left.
pub(crate) fn no_time(need: Duration, left: Duration) -> Outcome {
    Outcome::Skipped(format!(
        "no time: it would take about {need:.1?}, and {left:.1?} are left"
    ))
}

/// How to measure a part of a sweep within `budget`.
pub(crate) fn part(budget: Duration, seed: u64) -> MeasureOptions {
    MeasureOptions {
        budget,
        max_rounds: 100,
        seed,
        ..MeasureOptions::default()
    }
}

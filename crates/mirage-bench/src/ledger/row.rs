//! A row of a ledger. Unknown values are null.

use serde::{Deserialize, Serialize};

use crate::frame_error::FrameError;
use crate::plan::RowKind;
use crate::stats::{Interval, Outliers, Verdict};

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its label, such as `none`, `fp16`, `fuse on fp16`, `+ sdpa`, `- sdpa`, `all`.
    pub label: String,
    /// Its kind; a pass is an index of [`Ledger::passes`](super::Ledger::passes).
    pub kind: RowKind,
    /// The names of its passes in pipeline order.
    pub passes: Vec<String>,
    /// Notes, such as other passes that its pass requires.
    pub notes: Vec<String>,
    /// Its outcome.
    pub outcome: Outcome,
    /// The index of its samples; null without samples. Rows with the same set share an index.
    pub samples: Option<usize>,
    /// Its times.
    pub times: Option<Times>,
    /// Its speed-up over `none`.
    pub against_none: Option<SpeedUp>,
    /// Its speed-up over the previous set.
    pub against_before: Option<SpeedUp>,
    /// Its compilation.
    pub build: Build,
    /// Its memory.
    pub memory: Memory,
    /// Its rates.
    pub throughput: Option<Throughput>,
    /// Its error against f32 without passes.
    pub error: Option<Errors>,
    /// What the relative L2 error of a frame may be by the numerics classes of its passes; null where they
    /// promise no bound.
    #[serde(default)]
    pub error_bound: Option<f64>,
}

impl Row {
    /// Returns whether the error of a frame exceeds what the numerics classes of its passes allow.
    pub fn breaks_numerics(&self) -> bool {
        let found = self.error.as_ref().and_then(|e| e.frame.relative_l2);
        matches!((found, self.error_bound), (Some(found), Some(bound)) if found > bound)
    }
}

/// The outcome of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Outcome {
    /// It was measured.
    Measured,
    /// It failed, with the message.
    Failed(String),
    /// Its passes cannot be combined, with the message.
    Illegal(String),
}

/// Times of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// The median, ms.
    pub p50_ms: f64,
    /// The 95th percentile, ms.
    pub p95_ms: f64,
    /// The 99th percentile, ms.
    pub p99_ms: f64,
    /// Frames per second at the median.
    pub fps: f64,
    /// The number of samples, including outliers.
    pub count: usize,
    /// The number of samples beyond Tukey's fences.
    pub outliers: Outliers,
    /// Runs before the first sample.
    pub warm_up_runs: usize,
    /// Whether the warm-up was complete before the first sample.
    pub warm: bool,
}

/// A speed-up: the other's median time divided by this one's; above 1, this is faster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedUp {
    /// The names of the other's passes.
    pub other: Vec<String>,
    /// The ratio of the medians; its interval is of interleaved samples, and null if they are too few.
    pub ratio: f64,
    /// The interval; null if the samples are too few.
    pub interval: Option<Interval>,
    /// The verdict; null without an interval.
    pub verdict: Option<Verdict>,
}

/// The compilation of a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The dtype of most floating-point operations after the passes.
    pub dtype: Option<String>,
    /// Compile time, ms.
    pub compile_ms: Option<f64>,
    /// Places that the passes rewrote.
    pub rewrites: Option<u64>,
}

/// Memory, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Weights.
    pub weight_bytes: Option<u64>,
    /// The planned peak of activations.
    pub planned_peak_bytes: Option<u64>,
    /// The peak of one execution after warm-up: memory held for it and allocated by it. Null if it cannot be
    /// measured.
    pub measured_peak_bytes: Option<u64>,
    /// The resident set of a process that runs this set alone, program and engine included.
    pub resident_bytes: Option<u64>,
}

/// Rates at the median time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Floating-point operations, 10⁹ per second.
    pub gflops: f64,
    /// Bytes that the nodes read and write, 10⁹ per second.
    pub gbytes: f64,
    /// The operations by what this machine's roofline allows at this intensity, percent.
    pub roofline_percent: Option<f64>,
}

/// The error of a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Of one frame.
    pub frame: FrameError,
    /// Of the last frame of a closed loop, whose every output state is the next input.
    pub closed_loop: Option<FrameError>,
}

/// The shares of the passes in the total gain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shapley {
    /// Milliseconds per frame saved by all passes, with the interval.
    pub gain_ms: Interval,
    /// One share per pass, in pipeline order; they sum to the gain.
    pub shares: Vec<Share>,
}

/// A pass's share of the gain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The pass.
    pub pass: String,
    /// Milliseconds per frame that it saves, with the interval; negative if it is slower.
    pub gain_ms: Interval,
}

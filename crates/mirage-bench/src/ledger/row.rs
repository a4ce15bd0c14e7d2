//! A row of a ledger. What a backend cannot tell is null.

use serde::{Deserialize, Serialize};

use crate::frame_error::FrameError;
use crate::plan::RowKind;
use crate::stats::{Interval, Outliers, Verdict};

/// A row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What it is called, such as `none`, `fp16`, `fuse on fp16`, `+ sdpa`, `- sdpa`, `all`.
    pub label: String,
    /// What it shows; a pass is its place in [`Ledger::passes`](super::Ledger::passes).
    pub kind: RowKind,
    /// The names of its passes in pipeline order.
    pub passes: Vec<String>,
    /// What must be said of it: that it stands on passes which its own needs, for example.
    pub notes: Vec<String>,
    /// Whether it was measured.
    pub outcome: Outcome,
    /// The place of its samples; null if there are none. Rows of one set name one place.
    pub samples: Option<usize>,
    /// Its times.
    pub times: Option<Times>,
    /// Its speed-up against `none`.
    pub against_none: Option<SpeedUp>,
    /// Its speed-up against the set that it continues.
    pub against_before: Option<SpeedUp>,
    /// What compiling it took and did.
    pub build: Build,
    /// What it holds.
    pub memory: Memory,
    /// What it does a second.
    pub throughput: Option<Throughput>,
    /// What it costs in error against f32 without passes.
    pub error: Option<Errors>,
    /// What the relative L2 error of a frame may be by the numerics classes of its passes; null where they
    /// promise no bound.
    #[serde(default)]
    pub error_bound: Option<f64>,
}

impl Row {
    /// Whether a frame differs by more than the numerics classes of its passes allow.
    pub fn breaks_numerics(&self) -> bool {
        let found = self.error.as_ref().and_then(|e| e.frame.relative_l2);
        matches!((found, self.error_bound), (Some(found), Some(bound)) if found > bound)
    }
}

/// Whether a row was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Outcome {
    /// It was.
    Measured,
    /// It failed, and why.
    Failed(String),
    /// Its passes cannot run together, and why.
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
    /// Frames a second at the median.
    pub fps: f64,
    /// Samples, outliers among them.
    pub count: usize,
    /// How many samples lie beyond Tukey's fences.
    pub outliers: Outliers,
    /// Runs before the first sample.
    pub warm_up_runs: usize,
    /// Whether it was warm by the rule when the first sample was taken.
    pub warm: bool,
}

/// A speed-up: the other's median time by this one's, so above 1 this is faster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedUp {
    /// The names of the other's passes.
    pub other: Vec<String>,
    /// The ratio of the medians; its interval is of interleaved samples, and null if they are too few.
    pub ratio: f64,
    /// The interval; null if the samples are too few.
    pub interval: Option<Interval>,
    /// What it says; null without an interval.
    pub verdict: Option<Verdict>,
}

/// What compiling took and did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// The dtype of most floating-point operations after the passes.
    pub dtype: Option<String>,
    /// The backend's compilation, ms.
    pub compile_ms: Option<f64>,
    /// Places that the passes rewrote.
    pub rewrites: Option<u64>,
}

/// What is held, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Weights.
    pub weight_bytes: Option<u64>,
    /// The most activations alive at once, as planned.
    pub planned_peak_bytes: Option<u64>,
    /// The most that one execution takes, after warm-up: what is held for it, and what it allocates on
    /// top. Null where activations live in memory that nobody here can count.
    pub measured_peak_bytes: Option<u64>,
    /// The resident set of a process that runs this set alone, program and engine included.
    pub resident_bytes: Option<u64>,
}

/// What is done a second, at the median time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Floating-point operations, 10⁹ a second.
    pub gflops: f64,
    /// Bytes that the nodes read and write, 10⁹ a second.
    pub gbytes: f64,
    /// The operations by what this machine's roofline allows at this intensity, percent.
    pub roofline_percent: Option<f64>,
}

/// What a row costs in error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// Of one frame.
    pub frame: FrameError,
    /// Of the last frame of a closed loop, whose every output state is the next input.
    pub closed_loop: Option<FrameError>,
}

/// How the whole gain is shared among the passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shapley {
    /// Milliseconds a frame that all passes save, with their interval.
    pub gain_ms: Interval,
    /// One share a pass, in pipeline order; they sum to the gain.
    pub shares: Vec<Share>,
}

/// A pass's share of the gain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The pass.
    pub pass: String,
    /// Milliseconds a frame that it saves, with their interval; negative if it costs.
    pub gain_ms: Interval,
}

//! A saved ledger: everything that its numbers belong to, and the numbers. docs/reference/ledger.md describes
//! the schema.

mod assemble;
mod file;
mod layers;
mod row;

use serde::{Deserialize, Serialize};

pub use mirage_machine::Roofline;

pub use assemble::{AssembleError, Facts, Results, Rules, assemble};
pub use file::{LedgerError, read, read_str, write};
pub use layers::{Layer, LayerTimes};
pub use row::{Build, Errors, Memory, Outcome, Row, Shapley, Share, SpeedUp, Throughput, Times};

/// The version of the schema; grows when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// What tells a ledger from other JSON.
pub const FORMAT: &str = "mirage-ledger";

/// A ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the numbers belong to.
    #[serde(flatten)]
    pub setting: Setting,
    /// The passes in pipeline order.
    pub passes: Vec<PassId>,
    /// How the numbers came about.
    pub method: Method,
    /// What a reader should know: a busy machine, a subject that never got warm.
    pub warnings: Vec<String>,
    /// The rows, in the order in which they are shown.
    pub rows: Vec<Row>,
    /// Each pass's share of the whole gain; null if it was not asked for or cannot be told.
    pub shapley: Option<Shapley>,
    /// The samples, ms, one entry a set that was measured, which rows name by place; in it one list a
    /// process, in the order in which they were taken.
    pub samples_ms: Vec<Vec<Vec<f64>>>,
    /// Where the time of `none` and of `all` goes; empty where it was not profiled.
    #[serde(default)]
    pub layers: Vec<LayerTimes>,
}

/// What a ledger's numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// When it was measured, RFC 3339; null where it is not told.
    pub measured_at: Option<String>,
    /// Where it ran.
    pub machine: Machine,
    /// What ran it.
    pub backend: Backend,
    /// What ran.
    pub model: Model,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// The dtype of the model before any pass.
    pub dtype: String,
    /// The seed of weights, if untrained, noise and input.
    pub seed: u64,
    /// Denoising steps a frame.
    pub steps: usize,
    /// Frames of the closed loop behind [`Errors::closed_loop`].
    pub frames: usize,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The device's name.
    pub device: String,
    /// What matters for its speed.
    pub details: String,
    /// Operating system and architecture.
    pub platform: String,
    /// Its measured limits; null where they were not measured.
    pub roofline: Option<Roofline>,
}

/// A backend.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The engine behind it and the engine's version.
    pub engine: String,
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// The number of its parameters.
    pub parameters: usize,
    /// Whether its weights came from a file.
    pub trained: bool,
    /// The configuration of its network, in JSON; null in ledgers that were made without it.
    #[serde(default)]
    pub configuration: Option<String>,
}

/// A pass as it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassId {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The pass with its options, as `--passes` takes it.
    pub spec: String,
}

/// How a ledger's numbers came about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The time given, s.
    pub budget_s: f64,
    /// The time taken, s.
    pub elapsed_s: f64,
    /// The rule of warm-up, in words.
    pub warm_up: String,
    /// Processes that measured.
    pub processes: usize,
    /// What intervals cover: 0.95.
    pub confidence: f64,
    /// Draws behind an interval.
    pub resamples: usize,
    /// The seed of the order and of the draws.
    pub seed: u64,
    /// The smallest change that a verdict calls, as a share.
    pub margin: f64,
    /// Whether it was stopped before its time was up.
    pub stopped: bool,
}

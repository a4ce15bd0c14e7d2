//! A saved ledger: the setting and method of the measurement, and its results. docs/reference/ledger.md describes
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

/// The version of the schema; incremented when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// Identifies a ledger among other JSON.
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
    /// The method of measurement.
    pub method: Method,
    /// Warnings, such as a busy machine or an unstable subject.
    pub warnings: Vec<String>,
    /// The rows, in display order.
    pub rows: Vec<Row>,
    /// Each pass's share of the total gain; null if not requested or unknown.
    pub shapley: Option<Shapley>,
    /// The samples, ms: an entry per measured set, which rows refer to by index, with a list per process in the
    /// order of measurement.
    pub samples_ms: Vec<Vec<Vec<f64>>>,
    /// The layer times of `none` and `all`; empty if not profiled.
    #[serde(default)]
    pub layers: Vec<LayerTimes>,
}

/// What a ledger's numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// The date of measurement, RFC 3339; null if unknown.
    pub measured_at: Option<String>,
    /// The machine.
    pub machine: Machine,
    /// The backend.
    pub backend: Backend,
    /// The model.
    pub model: Model,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// The dtype of the model before any pass.
    pub dtype: String,
    /// The seed of weights, if untrained, noise and input.
    pub seed: u64,
    /// Denoising steps per frame.
    pub steps: usize,
    /// Frames of the closed loop behind [`Errors::closed_loop`].
    pub frames: usize,
}

/// A machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The device's name.
    pub device: String,
    /// Details that matter for its speed.
    pub details: String,
    /// Operating system and architecture.
    pub platform: String,
    /// Its peak performance; null if unknown.
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
    /// The configuration of its network, in JSON; null in older ledgers.
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
    /// The pass with its options, in the form of `--passes`.
    pub spec: String,
}

/// The method of measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// The time budget, s.
    pub budget_s: f64,
    /// The time used, s.
    pub elapsed_s: f64,
    /// The rule of warm-up, as text.
    pub warm_up: String,
    /// The number of processes.
    pub processes: usize,
    /// The confidence of intervals: 0.95.
    pub confidence: f64,
    /// Bootstrap samples per interval.
    pub resamples: usize,
    /// The seed of the order and of the draws.
    pub seed: u64,
    /// The smallest relative change that counts.
    pub margin: f64,
    /// Whether it was interrupted.
    pub stopped: bool,
}

//! Messages between program and plugins: MessagePack maps with field names, or JSON.
//!
//! Unknown fields are skipped. An incompatible change increases
//! [`SCHEMA_VERSION`](crate::abi::SCHEMA_VERSION).

use std::collections::BTreeMap;

use mirage_ir::{
    DType,
    target::{Capabilities, Subject},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The description of a plugin: the answer of `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The plugin's name: its package's.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The compiler that built it, for messages.
    #[serde(default)]
    pub built_with: String,
    /// Its passes. A pass's number is its index.
    #[serde(default)]
    pub passes: Vec<PassForm>,
    /// Its backends. A backend's number is its index.
    #[serde(default)]
    pub backends: Vec<BackendForm>,
}

/// A pass's metadata: [`mirage_pass::PassInfo`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of PassInfo")]
pub struct PassForm {
    pub name: String,
    pub version: u32,
    pub summary: String,
    /// `legalize`, `simplify`, `precision`, `layout`, `fuse` or `runtime`.
    pub phase: String,
    pub numerics: NumericsForm,
    #[serde(default)]
    pub tags: Vec<String>,
    #[serde(default)]
    pub requires: Vec<String>,
    #[serde(default)]
    pub conflicts: Vec<String>,
    #[serde(default)]
    pub after: Vec<String>,
    #[serde(default)]
    pub before: Vec<String>,
    #[serde(default)]
    pub needs: Vec<NeedForm>,
    #[serde(default)]
    pub options: Vec<OptionForm>,
    #[serde(default)]
    pub worth_trying: Vec<(String, String)>,
    #[serde(default)]
    pub changes_interface: bool,
    #[serde(default)]
    pub always: bool,
}

/// [`mirage_pass::Numerics`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are those of Numerics")]
pub enum NumericsForm {
    BitIdentical,
    /// `exact` is the name of an earlier class that included this one.
    #[serde(alias = "exact")]
    SameDefinition,
    Reassociates,
    LowersPrecision {
        tolerance: f64,
    },
    Lossy {
        metric: String,
    },
}

/// [`mirage_pass::Need`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of Need")]
pub struct NeedForm {
    #[serde(rename = "op")]
    pub subject: Subject,
    pub dtype: DType,
}

/// [`mirage_pass::OptionSpec`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of OptionSpec")]
pub struct OptionForm {
    pub name: String,
    pub kind: KindForm,
    #[serde(default)]
    pub default: String,
    pub doc: String,
}

/// [`mirage_pass::OptionKind`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are those of OptionKind")]
pub enum KindForm {
    Bool,
    Int { min: i64, max: i64 },
    Float { min: f64, max: f64 },
    Str,
    Choice(Vec<String>),
    Set(Vec<String>),
}

/// [`mirage_backend::BackendInfo`], owned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of BackendInfo")]
pub struct BackendForm {
    pub name: String,
    pub version: String,
    pub engine: String,
    pub summary: String,
    /// [`mirage_backend::Backend::tolerance`].
    #[serde(default = "usual_tolerance")]
    pub tolerance: f64,
}

fn usual_tolerance() -> f64 {
    1e-4
}

/// What a pass may depend on besides the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextForm {
    /// The capabilities of the backend that the graph will run on.
    pub capabilities: Capabilities,
    /// Every option by name, as text.
    pub options: BTreeMap<String, String>,
    /// Whether the graph is a called body.
    pub is_body: bool,
}

/// The outcome of a pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum OutcomeForm {
    /// The graph changed; the new one was written.
    Changed {
        /// The number of rewrites.
        rewrites: u64,
        /// Notes for the report.
        #[serde(default)]
        notes: Vec<String>,
    },
    /// The graph is unchanged; none was written.
    Unchanged {
        /// The reasons.
        reasons: Vec<String>,
    },
}

/// A device: [`mirage_backend::DeviceInfo`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of DeviceInfo")]
pub struct DeviceForm {
    pub index: u64,
    pub name: String,
    #[serde(default)]
    pub details: String,
}

/// How to compile: [`mirage_backend::CompileOptions`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompileForm {
    /// The device's index.
    #[serde(default)]
    pub device: u64,
}

/// The answer of a compilation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompiledForm {
    /// Notes for the user, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The clock that times nodes.
    #[serde(default)]
    pub node_clock: ClockForm,
}

/// The clock that times nodes: [`mirage_backend::NodeClock`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the variants are those of NodeClock")]
pub enum ClockForm {
    #[default]
    Host,
    Device,
}

/// The memory of an executable in bytes: [`mirage_backend::MemoryReport`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of MemoryReport")]
pub struct MemoryForm {
    #[serde(default)]
    pub weight_bytes: u64,
    #[serde(default)]
    pub state_bytes: u64,
    #[serde(default)]
    pub planned_peak_bytes: u64,
    #[serde(default)]
    pub held_bytes: Option<u64>,
}

/// The time of one node: [`mirage_backend::NodeTime`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTimeForm {
    /// The node's index in topological order.
    pub node: u64,
    /// Its start, in nanoseconds from the beginning of the call.
    pub start: u64,
    /// Its time in nanoseconds.
    pub nanoseconds: u64,
}

/// An error with its kind. A plugin may write a line of plain text instead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum ErrorForm {
    /// An argument or the graph is invalid.
    Argument {
        /// What is wrong.
        message: String,
    },
    /// A node cannot run.
    Unsupported {
        /// The node's index in topological order.
        node: u64,
        /// The operation.
        op: String,
        /// The node's module path.
        #[serde(default)]
        path: String,
        /// Why, and what would help.
        reason: String,
    },
    /// The graph needs more memory than is available.
    Memory {
        /// The needed and the available memory.
        message: String,
        /// The available memory in bytes.
        #[serde(default)]
        available: u64,
    },
    /// The engine failed.
    Engine {
        /// The engine's message.
        message: String,
    },
    /// The plugin panicked, which is a bug in it.
    Panic {
        /// The message and source location.
        message: String,
    },
}

/// The maximum nesting of maps and arrays.
const MAX_NESTING: usize = 64;

/// Encodes a message as MessagePack.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(message).map_err(|e| e.to_string())
}

/// Encodes a message as JSON.
pub fn encode_text<T: Serialize>(message: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(message).map_err(|e| e.to_string())
}

/// Reads a message in either form: JSON starts with `{` or `[`, unlike MessagePack's maps and arrays.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    if is_text(bytes) {
        return serde_json::from_slice(bytes).map_err(|e| e.to_string());
    }
    let mut deserializer = rmp_serde::Deserializer::new(bytes);
    deserializer.set_max_depth(MAX_NESTING);
    let message = T::deserialize(&mut deserializer).map_err(|e| e.to_string())?;
    match deserializer.get_ref().len() {
        0 => Ok(message),
        rest => Err(format!("{rest} bytes follow the message")),
    }
}

/// Whether a message is JSON.
pub fn is_text(bytes: &[u8]) -> bool {
    let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'['))
}

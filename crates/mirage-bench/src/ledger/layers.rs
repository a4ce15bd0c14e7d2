//! The time of a row by layer.

use serde::{Deserialize, Serialize};

/// The profile of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTimes {
    /// The label of the row.
    pub row: String,
    /// The number of frames; every second one was profiled.
    pub frames: usize,
    /// The median time of an execution without profiling, ms.
    pub plain_ms: f64,
    /// The median time of an execution with profiling, ms.
    pub profiled_ms: f64,
    /// Time between nodes, which no layer covers, ms.
    pub uncovered_ms: f64,
    /// The layers, the slowest first.
    pub layers: Vec<Layer>,
}

/// The nodes of a layer, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The first parts of the nodes' module path.
    pub name: String,
    /// The number of nodes.
    pub nodes: usize,
    /// The sum of the nodes' median times, ms.
    pub ms: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that they read and write.
    pub bytes: u64,
}

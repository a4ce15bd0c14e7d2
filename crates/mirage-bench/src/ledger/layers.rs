//! Where the time of a row goes, layer by layer.

use serde::{Deserialize, Serialize};

/// The profile of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTimes {
    /// The label of the row.
    pub row: String,
    /// Frames that the medians are of; every second one was profiled.
    pub frames: usize,
    /// The median time of an execution that was not profiled, ms.
    pub plain_ms: f64,
    /// The same of those that were.
    pub profiled_ms: f64,
    /// What the layers do not cover of a profiled execution: the way between nodes, ms.
    pub uncovered_ms: f64,
    /// The layers, the slowest first.
    pub layers: Vec<Layer>,
}

/// The nodes of a layer, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The first parts of the nodes' module path.
    pub name: String,
    /// How many nodes.
    pub nodes: usize,
    /// Their time in an execution, the sum of medians, ms.
    pub ms: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that they read and write.
    pub bytes: u64,
}

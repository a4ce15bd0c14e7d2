//! The profile of a frame: the time of every node, summed by operation and layer, with costs, roofline and
//! memory. docs/reference/profile.md describes the schema.

mod document;
mod frames;
mod layers;
mod memory;
mod node;
mod row;
mod sort;

use serde::Serialize;

pub use document::Document;
pub use frames::{Clock, FrameTimes, Frames, FramesError, ProfiledFrame};
pub use layers::{Layer, NO_LAYER};
pub use memory::{Alive, Memory, MemoryAt};
pub use node::Node;
pub use row::{Row, UNCOVERED};
pub use sort::Sort;

use crate::ledger::{Backend, Machine, Model, PassId};

/// The version of the schema; incremented when a field changes its meaning or is removed.
pub const SCHEMA: u32 = 1;

/// Identifies a profile among other JSON.
pub const FORMAT: &str = "mirage-profile";

/// A profile of a program's frame; [`Document`] is how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What the numbers belong to.
    pub setting: Setting,
    /// The passes, in the form of `--passes`.
    pub pipeline: String,
    /// The requested passes, with versions.
    pub passes: Vec<PassId>,
    /// The frame as a whole.
    pub frame: FrameTimes,
    /// Every node that an execution runs, in the order in which they ran.
    pub nodes: Vec<Node>,
    /// The memory timeline.
    pub memory: Memory,
    /// Notes of the backend on the compilation.
    pub notes: Vec<String>,
    /// Warnings about the measurement.
    pub warnings: Vec<String>,
}

/// What a profile's numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// The machine.
    pub machine: Machine,
    /// The backend.
    pub backend: Backend,
    /// The model.
    pub model: Model,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// The dtype that convolutions and products run in after the passes.
    pub dtype: String,
    /// The seed of weights, if untrained, noise and input.
    pub seed: u64,
    /// Denoising steps per frame.
    pub steps: usize,
}

impl Profile {
    /// Returns nodes summed by operation, the slowest first, and a row of the uncovered time.
    pub fn operations(&self) -> Vec<Row> {
        let mut rows = row::by_name(&self.nodes, |node| node.op.clone(), &self.frame);
        rows.push(Row::uncovered(&self.frame));
        Sort::Time.sort(&mut rows);
        rows
    }

    /// Returns each node in execution order, and a row of the uncovered time.
    pub fn node_rows(&self) -> Vec<Row> {
        let row = |n: &Node| Row::of(n.label(), [n], &self.frame);
        let mut rows: Vec<Row> = self.nodes.iter().map(row).collect();
        rows.push(Row::uncovered(&self.frame));
        rows
    }

    /// Returns the tree of layers by module path, with sorted siblings.
    pub fn layers(&self, sort: Sort) -> Layer {
        Layer::tree(&self.nodes, &self.frame, sort)
    }

    /// Returns the minimum time of all nodes by the roofline divided by their time, in percent.
    pub fn roofline_percent(&self) -> Option<f64> {
        Row::of(String::new(), &self.nodes, &self.frame).roofline_percent
    }
}

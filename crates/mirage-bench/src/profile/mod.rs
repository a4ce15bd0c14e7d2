//! Where the time of a frame goes: what was measured of every node, summed up by operation and by
//! layer, with costs, the roofline and memory. docs/reference/profile.md describes the schema.

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

/// The version of the schema; grows when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// What tells a profile from other JSON.
pub const FORMAT: &str = "mirage-profile";

/// A profile of a program's frame; [`Document`] is how it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// What the numbers belong to.
    pub setting: Setting,
    /// The passes as they can be typed.
    pub pipeline: String,
    /// The passes that were asked for, with versions.
    pub passes: Vec<PassId>,
    /// The frame as a whole.
    pub frame: FrameTimes,
    /// Every node that an execution runs, in the order in which they ran.
    pub nodes: Vec<Node>,
    /// What is alive when.
    pub memory: Memory,
    /// What a user should know of the compilation.
    pub notes: Vec<String>,
    /// What a reader should know of the measurement.
    pub warnings: Vec<String>,
}

/// What a profile's numbers belong to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: String,
    /// Where it ran.
    pub machine: Machine,
    /// What ran it.
    pub backend: Backend,
    /// What ran.
    pub model: Model,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// The dtype that convolutions and products run in after the passes.
    pub dtype: String,
    /// The seed of weights, if untrained, noise and input.
    pub seed: u64,
    /// Denoising steps a frame.
    pub steps: usize,
}

impl Profile {
    /// Nodes summed up by operation, the slowest first, with the row of what they do not cover.
    pub fn operations(&self) -> Vec<Row> {
        let mut rows = row::by_name(&self.nodes, |node| node.op.clone(), &self.frame);
        rows.push(Row::uncovered(&self.frame));
        Sort::Time.sort(&mut rows);
        rows
    }

    /// Each node alone, in the order in which they ran, with the row of what they do not cover.
    pub fn node_rows(&self) -> Vec<Row> {
        let row = |n: &Node| Row::of(n.label(), [n], &self.frame);
        let mut rows: Vec<Row> = self.nodes.iter().map(row).collect();
        rows.push(Row::uncovered(&self.frame));
        rows
    }

    /// The tree of layers by module path, siblings sorted.
    pub fn layers(&self, sort: Sort) -> Layer {
        Layer::tree(&self.nodes, &self.frame, sort)
    }

    /// The least time that the roofline allows for all nodes, by the time that they take, percent.
    pub fn roofline_percent(&self) -> Option<f64> {
        Row::of(String::new(), &self.nodes, &self.frame).roofline_percent
    }
}

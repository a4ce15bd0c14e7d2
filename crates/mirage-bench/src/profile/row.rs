//! Nodes summed up.

use std::collections::HashMap;

use serde::Serialize;

use super::{FrameTimes, Node};

/// The row of what nodes do not cover: the way to the engine's threads, checks, copies of results and
/// states, and the clock itself.
pub const UNCOVERED: &str = "(between nodes)";

/// Nodes summed up. What cannot be told is null: rates of no time, shares of no roofline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The operation, the layer or the node.
    pub name: String,
    /// How many nodes.
    pub nodes: usize,
    /// Their time, ms.
    pub ms: f64,
    /// Its part of a frame's execution, [`FrameTimes::whole_ms`].
    pub share: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of operands and results.
    pub bytes: u64,
    /// Arithmetic intensity: operations by bytes.
    pub intensity: Option<f64>,
    /// Operations a second, in 10⁹.
    pub gflops: Option<f64>,
    /// Bytes a second, in 10⁹.
    pub gbytes: Option<f64>,
    /// The least time that the roofline allows, by the time that was taken, percent.
    pub roofline_percent: Option<f64>,
    /// The most bytes of activations alive at any of the nodes.
    pub memory_bytes: Option<u64>,
}

impl Row {
    /// Nodes under a name.
    pub fn of<'a>(
        name: String,
        nodes: impl IntoIterator<Item = &'a Node>,
        frame: &FrameTimes,
    ) -> Self {
        let (mut count, mut ms, mut flops, mut bytes) = (0, 0.0, 0u64, 0u64);
        let (mut least, mut memory_bytes) = (Some(0.0), None);
        for node in nodes {
            count += 1;
            ms += node.ms;
            flops = flops.saturating_add(node.flops);
            bytes = bytes.saturating_add(node.bytes);
            least = least.zip(node.least_ms).map(|(sum, n)| sum + n);
            memory_bytes = memory_bytes.max(Some(node.memory_bytes));
        }
        let rate = |amount: u64| (amount > 0 && ms > 0.0).then(|| amount as f64 / (ms * 1e6));
        let percent = |least: f64| (least > 0.0 && ms > 0.0).then(|| 100.0 * least / ms);
        Row {
            name,
            nodes: count,
            ms,
            share: ms / frame.whole_ms,
            flops,
            bytes,
            intensity: (flops > 0 && bytes > 0).then(|| flops as f64 / bytes as f64),
            gflops: rate(flops),
            gbytes: rate(bytes),
            roofline_percent: least.and_then(percent),
            memory_bytes,
        }
    }

    /// What nodes do not cover.
    pub fn uncovered(frame: &FrameTimes) -> Self {
        let mut row = Row::of(UNCOVERED.to_owned(), [], frame);
        row.ms = frame.uncovered_ms;
        row.share = row.ms / frame.whole_ms;
        row
    }
}

/// Nodes of the same name summed up, in the order in which names come.
pub(super) fn by_name(
    nodes: &[Node],
    name: impl Fn(&Node) -> String,
    frame: &FrameTimes,
) -> Vec<Row> {
    let mut groups: Vec<(String, Vec<&Node>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for node in nodes {
        let name = name(node);
        let place = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(node);
    }
    let row = |(name, nodes)| Row::of(name, Vec::<&Node>::into_iter(nodes), frame);
    groups.into_iter().map(row).collect()
}

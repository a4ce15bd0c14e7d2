//! Where the time of a frame goes: node by node, summed up by operation or by layer.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mirage_ir::{
    Graph, NodeId,
    cost::{NodeCost, node_cost},
    ops::Region,
};
use mirage_video::Frame;
use serde::Serialize;

use crate::{Session, StreamError, statistics::median};

/// One node of the program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeProfile {
    /// Its number in the graph that was compiled.
    pub node: usize,
    /// Its operation; of a region `region:` and the kind.
    pub op: String,
    /// The module path that it came from.
    pub path: Arc<str>,
    /// The median of its times over the frames, ms.
    pub ms: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes that it reads and writes.
    pub bytes: u64,
}

/// The times of a program's nodes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profile {
    /// Frames measured, warm-up not among them.
    pub frames: usize,
    /// Frames left out at the start.
    pub warmup: usize,
    /// The median time of a frame's execution that was not profiled, ms.
    pub plain_ms: f64,
    /// The median time of a profiled frame's execution, ms; those alternate with the others.
    pub profiled_ms: f64,
    /// Every node that an execution runs, in order.
    pub nodes: Vec<NodeProfile>,
}

/// What nodes are summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each stays alone.
    Node,
    /// The operation.
    Op,
    /// The first parts of the module path, so many.
    Layer(usize),
}

/// Nodes summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfileRow {
    /// The operation, the layer, or both for a node.
    pub name: String,
    /// How many nodes.
    pub nodes: usize,
    /// Their time, ms.
    pub ms: f64,
    /// Its part of a profiled frame's execution.
    pub share: f64,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes read and written.
    pub bytes: u64,
}

impl ProfileRow {
    /// Floating-point operations a second, in units of 10⁹.
    pub fn gflops(&self) -> f64 {
        self.flops as f64 / (self.ms * 1e6)
    }

    /// Bytes a second, in units of 10⁹.
    pub fn gbytes(&self) -> f64 {
        self.bytes as f64 / (self.ms * 1e6)
    }
}

/// What a profile's sum does not cover: the way between nodes, copies of results and states.
pub const UNCOVERED: &str = "(between nodes)";

/// Runs frames (in the model's size) through a session, profiling every second one; the first
/// `warmup` are left out. `step` is told after each frame. `graph` is what was compiled.
///
/// # Errors
/// What the session says; too few frames for one of each kind.
pub fn profile(
    graph: &Graph,
    session: &mut Session,
    frames: &[Frame],
    warmup: usize,
    mut step: impl FnMut(usize),
) -> Result<Profile, StreamError> {
    if frames.len() < warmup + 2 {
        return Err(StreamError::Setting(format!(
            "a profile takes 2 frames after the warm-up of {warmup} at least, there are {}",
            frames.len()
        )));
    }
    let (mut plain, mut profiled) = (Vec::new(), Vec::new());
    let mut times: HashMap<NodeId, Vec<Duration>> = HashMap::new();
    let mut order = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        let counts = i >= warmup;
        if (i - warmup.min(i)).is_multiple_of(2) {
            let made = session.execute_at_size(frame)?;
            plain.extend(counts.then_some(made));
        } else {
            let (time, nodes) = session.profile_at_size(frame)?;
            profiled.extend(counts.then_some(time));
            for node in nodes.into_iter().filter(|_| counts) {
                let times = times.entry(node.node).or_insert_with(|| {
                    order.push(node.node);
                    Vec::new()
                });
                times.push(node.time);
            }
        }
        step(i + 1);
    }
    let nodes = order.into_iter().map(|id| {
        let node = graph.node(id);
        let NodeCost { flops, .. } = node_cost(graph, node);
        NodeProfile {
            node: id.index(),
            op: match node.op.get::<Region>() {
                Some(region) => format!("region:{}", region.kind),
                None => node.op.name().into_owned(),
            },
            path: node.path.clone(),
            ms: median(&times[&id]),
            flops,
            bytes: node_cost(graph, node).bytes(),
        }
    });
    Ok(Profile {
        frames: plain.len() + profiled.len(),
        warmup,
        plain_ms: median(&plain),
        profiled_ms: median(&profiled),
        nodes: nodes.collect(),
    })
}

impl Profile {
    /// The time that no node accounts for, ms.
    pub fn uncovered_ms(&self) -> f64 {
        let covered: f64 = self.nodes.iter().map(|n| n.ms).sum();
        (self.profiled_ms - covered).max(0.0)
    }

    /// The nodes summed up, the slowest first, and a row of what they do not cover.
    pub fn rows(&self, by: By) -> Vec<ProfileRow> {
        let mut rows: Vec<ProfileRow> = Vec::new();
        let mut place: HashMap<String, usize> = HashMap::new();
        for node in &self.nodes {
            let name = by.name(node);
            let at = *place.entry(name.clone()).or_insert_with(|| {
                rows.push(ProfileRow {
                    name,
                    nodes: 0,
                    ms: 0.0,
                    share: 0.0,
                    flops: 0,
                    bytes: 0,
                });
                rows.len() - 1
            });
            let row = &mut rows[at];
            row.nodes += 1;
            row.ms += node.ms;
            row.flops = row.flops.saturating_add(node.flops);
            row.bytes = row.bytes.saturating_add(node.bytes);
        }
        rows.push(ProfileRow {
            name: UNCOVERED.to_owned(),
            nodes: 0,
            ms: self.uncovered_ms(),
            share: 0.0,
            flops: 0,
            bytes: 0,
        });
        for row in &mut rows {
            row.share = row.ms / self.profiled_ms;
        }
        rows.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        rows
    }
}

impl By {
    fn name(self, node: &NodeProfile) -> String {
        match self {
            By::Node => format!("%{} {} {}", node.node, node.op, node.path),
            By::Op => node.op.clone(),
            By::Layer(depth) => {
                let parts: Vec<&str> = node.path.split('.').take(depth).collect();
                match &parts[..] {
                    [] | [""] => "(no layer)".to_owned(),
                    parts => parts.join("."),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node: usize, op: &str, path: &str, ms: f64) -> NodeProfile {
        NodeProfile {
            node,
            op: op.to_owned(),
            path: path.into(),
            ms,
            flops: 1000,
            bytes: 10,
        }
    }

    fn example() -> Profile {
        Profile {
            frames: 4,
            warmup: 1,
            plain_ms: 9.0,
            profiled_ms: 10.0,
            nodes: vec![
                node(3, "conv", "down.0.conv1", 2.0),
                node(4, "silu", "down.0.act", 1.0),
                node(7, "conv", "up.0.conv1", 4.0),
                node(9, "add", "", 1.0),
            ],
        }
    }

    fn shown(by: By) -> Vec<(String, usize, f64)> {
        let rows = example().rows(by);
        assert!((rows.iter().map(|r| r.share).sum::<f64>() - 1.0).abs() < 1e-12);
        rows.into_iter().map(|r| (r.name, r.nodes, r.ms)).collect()
    }

    #[test]
    fn nodes_are_summed_up_and_what_they_leave_is_a_row() {
        let row = |name: &str, nodes, ms| (name.to_owned(), nodes, ms);
        assert_eq!(
            shown(By::Op),
            [
                row("conv", 2, 6.0),
                row(UNCOVERED, 0, 2.0),
                row("silu", 1, 1.0),
                row("add", 1, 1.0)
            ]
        );
        assert_eq!(
            shown(By::Layer(1)),
            [
                row("up", 1, 4.0),
                row("down", 2, 3.0),
                row(UNCOVERED, 0, 2.0),
                row("(no layer)", 1, 1.0)
            ]
        );
        assert_eq!(shown(By::Layer(3))[0], row("up.0.conv1", 1, 4.0));
        assert_eq!(shown(By::Node)[1], row("%3 conv down.0.conv1", 1, 2.0));
    }

    #[test]
    fn rates_are_per_second() {
        let rows = example().rows(By::Op);
        assert!((rows[0].gflops() - 2000.0 / 6e6).abs() < 1e-12);
        assert!((rows[0].gbytes() - 20.0 / 6e6).abs() < 1e-12);
    }
}

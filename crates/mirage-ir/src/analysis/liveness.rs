//! Liveness of values and nodes.

use crate::{Graph, NodeId, Source};

/// For each value, the last node that uses it.
pub struct Liveness {
    last_use: Vec<Option<NodeId>>,
    leaves: Vec<bool>,
}

impl Liveness {
    /// Computes the liveness of a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut last_use = vec![None; graph.values().len()];
        for (id, node) in graph.iter() {
            for v in &node.inputs {
                last_use[v.index()] = Some(id);
            }
        }
        let mut leaves = vec![false; graph.values().len()];
        for v in graph.results() {
            leaves[v.index()] = true;
        }
        Liveness { last_use, leaves }
    }

    /// Returns the last node that uses the value; `None` if no node does, or if the value is an output or a
    /// state's new content and lives to the end.
    pub fn last_use(&self, value: crate::ValueId) -> Option<NodeId> {
        if self.leaves[value.index()] {
            None
        } else {
            self.last_use[value.index()]
        }
    }

    /// Whether the value is an output or a state's new content and so lives to the end.
    pub fn leaves(&self, value: crate::ValueId) -> bool {
        self.leaves[value.index()]
    }
}

/// Returns for each node whether an output or a state's new content depends on it.
pub fn live_nodes(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes().len()];
    let mark = |v: crate::ValueId, live: &mut Vec<bool>| {
        if let Source::Node { node, .. } = graph.value(v).source {
            live[node.index()] = true;
        }
    };
    for v in graph.results() {
        mark(v, &mut live);
    }
    for (id, node) in graph.iter().rev() {
        if live[id.index()] {
            for &v in &node.inputs {
                mark(v, &mut live);
            }
        }
    }
    live
}

//! Users of values.

use crate::{Graph, NodeId, ValueId};

/// For each value, the nodes that use it (once for each operand) and whether it is a result of the graph.
pub struct Uses {
    users: Vec<Vec<NodeId>>,
    leaves: Vec<bool>,
}

impl Uses {
    /// Computes the uses in a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut users = vec![Vec::new(); graph.values().len()];
        for (id, node) in graph.iter() {
            for v in &node.inputs {
                users[v.index()].push(id);
            }
        }
        let mut leaves = vec![false; graph.values().len()];
        for v in graph.results() {
            leaves[v.index()] = true;
        }
        Uses { users, leaves }
    }

    /// Returns the nodes that use the value in topological order. A node that uses it twice occurs twice.
    pub fn users(&self, value: ValueId) -> &[NodeId] {
        &self.users[value.index()]
    }

    /// Whether the value is an output of the graph or a state's new content.
    pub fn leaves(&self, value: ValueId) -> bool {
        self.leaves[value.index()]
    }

    /// Whether the value has exactly one use, which is an operand of a node.
    pub fn is_single(&self, value: ValueId) -> bool {
        !self.leaves(value) && self.users(value).len() == 1
    }
}

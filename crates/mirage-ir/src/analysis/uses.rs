//! Who uses a value.

use crate::{Graph, NodeId, ValueId};

/// For each value the nodes that take it (once for each operand) and whether it leaves the graph.
pub struct Uses {
    users: Vec<Vec<NodeId>>,
    leaves: Vec<bool>,
}

impl Uses {
    /// The uses in this graph.
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

    /// The nodes that take the value, in topological order; a node that takes it twice is there
    /// twice.
    pub fn users(&self, value: ValueId) -> &[NodeId] {
        &self.users[value.index()]
    }

    /// Whether the value is an output of the graph or a state's new content.
    pub fn leaves(&self, value: ValueId) -> bool {
        self.leaves[value.index()]
    }

    /// Whether exactly one operand in the whole graph is this value, and it does not leave.
    pub fn is_single(&self, value: ValueId) -> bool {
        !self.leaves(value) && self.users(value).len() == 1
    }
}

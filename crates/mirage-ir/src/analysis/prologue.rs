//! The part of a graph that depends on parameters alone.

use crate::{Graph, NodeId, Source, ValueId};

/// The values that depend on parameters and constants alone: a backend computes them once at compile.
///
/// Passes edit weights by adding nodes on parameters, which then belong to the prologue.
pub struct Prologue {
    fixed: Vec<bool>,
    nodes: Vec<NodeId>,
    kept: Vec<ValueId>,
}

impl Prologue {
    /// Computes the prologue of a graph.
    pub fn of(graph: &Graph) -> Self {
        let mut fixed = vec![false; graph.values().len()];
        for (i, value) in graph.values().iter().enumerate() {
            fixed[i] = matches!(value.source, Source::Param(_));
        }
        let mut nodes = Vec::new();
        let mut needed = vec![false; graph.values().len()];
        for (id, node) in graph.iter() {
            if node.inputs.iter().all(|v| fixed[v.index()]) {
                nodes.push(id);
                node.outputs.iter().for_each(|v| fixed[v.index()] = true);
            } else {
                node.inputs.iter().for_each(|v| needed[v.index()] = true);
            }
        }
        graph.results().for_each(|v| needed[v.index()] = true);
        let kept = (0..fixed.len())
            .filter(|&i| fixed[i] && needed[i])
            .map(ValueId::from_index)
            .collect();
        Prologue { fixed, nodes, kept }
    }

    /// Whether the value depends on parameters and constants alone.
    pub fn is_fixed(&self, value: ValueId) -> bool {
        self.fixed[value.index()]
    }

    /// Returns the nodes to run once, in topological order.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Returns the values of the prologue that the rest of the graph uses: the weights of an execution.
    pub fn kept(&self) -> &[ValueId] {
        &self.kept
    }
}

//! The numbers of values in a graph's text form.

use std::collections::HashMap;

use mirage_ir::{Graph, NodeId, ValueId};

/// The numbers of values in the text form, in the order of definition: inputs, parameters, states, results
/// of nodes. A node has the number of its first result, as in `mirage graph dump`.
pub(super) struct Numbers(HashMap<ValueId, usize>);

impl Numbers {
    pub(super) fn of(graph: &Graph) -> Self {
        let ports = graph.inputs().iter().chain(graph.params()).map(|p| p.value);
        let states = graph.states().iter().map(|s| s.input);
        let results = graph.nodes().iter().flat_map(|n| n.outputs.iter().copied());
        let all = ports.chain(states).chain(results);
        Numbers(
            all.enumerate()
                .map(|(number, value)| (value, number))
                .collect(),
        )
    }

    pub(super) fn value(&self, value: ValueId) -> usize {
        self.0.get(&value).copied().unwrap_or_default()
    }

    pub(super) fn node(&self, graph: &Graph, node: NodeId) -> usize {
        self.value(graph.node(node).output())
    }
}

//! What a graph costs: operations, bytes moved, bytes held.

use crate::{
    Graph, Node,
    analysis::{Liveness, Prologue},
};

/// The cost of one node's execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCost {
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes of operands, each read once; 0 for a view.
    pub bytes_read: u64,
    /// Bytes of results, each written once; 0 for a view.
    pub bytes_written: u64,
}

impl NodeCost {
    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        self.bytes_read + self.bytes_written
    }
}

/// The cost of one node.
pub fn node_cost(graph: &Graph, node: &Node) -> NodeCost {
    let inputs = graph.input_types(node);
    let outputs = graph.output_types(node);
    if node.op.is_view(&inputs, &outputs) {
        return NodeCost::default();
    }
    NodeCost {
        flops: node.op.flops(&inputs, &outputs),
        bytes_read: inputs.iter().map(|t| t.bytes() as u64).sum(),
        bytes_written: outputs.iter().map(|t| t.bytes() as u64).sum(),
    }
}

/// The cost of one execution of a graph; what is computed once at compile does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphCost {
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that the nodes read and write, each operand and result once a node.
    pub bytes: u64,
    /// Bytes of the fixed values that an execution reads: the weights as they are held.
    pub weight_bytes: u64,
    /// Bytes of everything that the nodes write in an execution: the traffic of activations.
    pub activation_bytes: u64,
    /// The most bytes of activations alive at once, if each is freed after its last use and views
    /// share their source's memory. Inputs and states count, weights do not.
    pub peak_activation_bytes: u64,
}

/// The cost of one execution of a graph.
pub fn graph_cost(graph: &Graph) -> GraphCost {
    let prologue = Prologue::of(graph);
    let mut cost = GraphCost {
        weight_bytes: prologue.kept().iter().map(|&v| graph.ty(v).bytes() as u64).sum(),
        peak_activation_bytes: peak(graph, &prologue),
        ..GraphCost::default()
    };
    for node in graph.nodes().iter().filter(|n| !prologue.is_fixed(n.output())) {
        let c = node_cost(graph, node);
        cost.flops += c.flops;
        cost.bytes += c.bytes();
        cost.activation_bytes += c.bytes_written;
    }
    cost
}

fn peak(graph: &Graph, prologue: &Prologue) -> u64 {
    let liveness = Liveness::of(graph);
    // A view shares the memory of its root, which lives as long as the last of its views.
    let mut root: Vec<usize> = (0..graph.values().len()).collect();
    for node in graph.nodes() {
        let view = node.op.is_view(&graph.input_types(node), &graph.output_types(node));
        if view && !prologue.is_fixed(node.output()) && !prologue.is_fixed(node.inputs[0]) {
            root[node.output().index()] = root[node.inputs[0].index()];
        }
    }
    let mut last = vec![None; root.len()];
    let mut kept = vec![false; root.len()];
    for (i, &r) in root.iter().enumerate() {
        let v = crate::ValueId::from_index(i);
        last[r] = last[r].max(liveness.last_use(v));
        kept[r] |= liveness.leaves(v);
    }
    let mut free_at: Vec<u64> = vec![0; graph.nodes().len()];
    let mut alive = 0u64;
    let mut most = 0u64;
    let is_own = |i: usize| root[i] == i && !prologue.is_fixed(crate::ValueId::from_index(i));
    let born = |i: usize, alive: &mut u64, free_at: &mut Vec<u64>, now: usize| {
        let bytes = graph.values()[i].ty.bytes() as u64;
        *alive += bytes;
        match (kept[i], last[i]) {
            (true, _) => {}
            (false, Some(node)) => free_at[node.index()] += bytes,
            (false, None) => {
                if let Some(slot) = free_at.get_mut(now) {
                    *slot += bytes;
                }
            }
        }
    };
    let entering = graph.inputs().iter().map(|p| p.value).chain(graph.states().iter().map(|s| s.input));
    for v in entering {
        born(v.index(), &mut alive, &mut free_at, 0);
    }
    most = most.max(alive);
    for (id, node) in graph.iter() {
        for v in &node.outputs {
            if is_own(v.index()) {
                born(v.index(), &mut alive, &mut free_at, id.index());
            }
        }
        most = most.max(alive);
        alive -= free_at[id.index()];
    }
    most
}

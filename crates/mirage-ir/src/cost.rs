//! The cost of a graph: operations, memory traffic, memory.

mod memory;

use std::collections::{HashMap, HashSet};

pub use self::memory::ActivationMemory;
use crate::{Graph, Node, Source, ValueId, analysis::Prologue, callees::callee};

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
        self.bytes_read.saturating_add(self.bytes_written)
    }
}

/// Computes the cost of one node; for a call, the cost of an execution of its body.
pub fn node_cost(graph: &Graph, node: &Node) -> NodeCost {
    Program::default().node(graph, node).0
}

fn own_cost(graph: &Graph, node: &Node) -> NodeCost {
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

/// The cost of one execution of a graph, without the prologue, which is computed once at compile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphCost {
    /// Floating-point operations; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that the nodes read and write: each operand and result once for each node.
    pub bytes: u64,
    /// Bytes of the weights: the values of the prologue and parameters that an execution reads.
    pub weight_bytes: u64,
    /// Bytes that the nodes write in an execution.
    pub activation_bytes: u64,
    /// The peak of bytes of live activations, if each is freed after its last use and views share their
    /// source's memory. Inputs and states live throughout, results to the end. Weights are not included.
    pub peak_activation_bytes: u64,
}

/// Computes the cost of one execution of a graph. A called body is counted at each call. Weights are
/// counted once, even if several graphs or calls read them.
pub fn graph_cost(graph: &Graph) -> GraphCost {
    let mut program = Program::default();
    let cost = program.graph(graph);
    GraphCost {
        weight_bytes: program.weight_bytes,
        ..cost
    }
}

/// Costs of the graphs of a program.
#[derive(Default)]
struct Program<'g> {
    /// The cost of each body, without its weights.
    bodies: HashMap<*const Graph, GraphCost>,
    /// Parameters that executions read directly.
    params: HashSet<&'g str>,
    /// Bytes of these parameters and of the values of prologues that executions read.
    weight_bytes: u64,
}

impl<'g> Program<'g> {
    fn graph(&mut self, graph: &'g Graph) -> GraphCost {
        let prologue = Prologue::of(graph);
        self.hold(graph, &prologue);
        let mut cost = GraphCost::default();
        let mut inside = vec![0; graph.nodes().len()];
        for (id, node) in graph.iter().filter(|(_, n)| !prologue.is_fixed(n.output())) {
            let c;
            (c, inside[id.index()]) = self.node(graph, node);
            // The cost of a valid graph may exceed u64.
            cost.flops = cost.flops.saturating_add(c.flops);
            cost.bytes = cost.bytes.saturating_add(c.bytes());
            cost.activation_bytes = cost.activation_bytes.saturating_add(c.bytes_written);
        }
        let memory = ActivationMemory::sweep(graph, &prologue, inside);
        cost.peak_activation_bytes = memory.peak_bytes();
        cost
    }

    /// Adds the weights that an execution of this graph reads.
    fn hold(&mut self, graph: &'g Graph, prologue: &Prologue) {
        for &v in prologue.kept() {
            let is_new = match graph.value(v).source {
                Source::Param(i) => self.params.insert(&graph.params()[i].name),
                _ => true,
            };
            if is_new {
                self.weight_bytes = self.weight_bytes.saturating_add(bytes(graph, v));
            }
        }
    }

    /// Returns the cost of a node, and the peak of live bytes inside of it, without its operands.
    fn node(&mut self, graph: &'g Graph, node: &'g Node) -> (NodeCost, u64) {
        let Some(body) = callee(&node.op) else {
            return (own_cost(graph, node), 0);
        };
        let cost = match self.bodies.get(&std::sync::Arc::as_ptr(body)) {
            Some(&known) => known,
            None => {
                let cost = self.graph(body);
                self.bodies.insert(std::sync::Arc::as_ptr(body), cost);
                cost
            }
        };
        let inputs = body.inputs().iter().map(|p| bytes(body, p.value));
        let inside = inputs.fold(cost.peak_activation_bytes, u64::saturating_sub);
        let node_cost = NodeCost {
            flops: cost.flops,
            bytes_read: cost.bytes - cost.activation_bytes,
            bytes_written: cost.activation_bytes,
        };
        (node_cost, inside)
    }
}

fn bytes(graph: &Graph, value: ValueId) -> u64 {
    graph.ty(value).bytes() as u64
}

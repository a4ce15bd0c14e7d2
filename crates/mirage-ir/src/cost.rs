//! What a graph costs: operations, bytes moved, bytes held.

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

/// The cost of one node; of a call what an execution of its body costs.
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
    /// share their source's memory. Inputs and states are held throughout, results to the end;
    /// weights do not count.
    pub peak_activation_bytes: u64,
}

/// The cost of one execution of a graph. A body that it calls counts at each call; the weights that
/// the body reads count once, and a parameter that several graphs read counts once too.
pub fn graph_cost(graph: &Graph) -> GraphCost {
    let mut program = Program::default();
    let cost = program.graph(graph);
    GraphCost {
        weight_bytes: program.weight_bytes,
        ..cost
    }
}

/// The graphs of a program that have been costed.
#[derive(Default)]
struct Program<'g> {
    /// The cost of each body, without its weights.
    bodies: HashMap<*const Graph, GraphCost>,
    /// Parameters that executions read as they are.
    params: HashSet<&'g str>,
    /// Bytes of those and of what else is computed once for executions to read.
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
            // A valid graph may cost more than can be counted.
            cost.flops = cost.flops.saturating_add(c.flops);
            cost.bytes = cost.bytes.saturating_add(c.bytes());
            cost.activation_bytes = cost.activation_bytes.saturating_add(c.bytes_written);
        }
        let memory = ActivationMemory::sweep(graph, &prologue, inside);
        cost.peak_activation_bytes = memory.peak_bytes();
        cost
    }

    /// Counts the fixed values that an execution of this graph reads.
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

    /// The cost of a node, and the most bytes that are alive inside of it at once, its operands left
    /// out.
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

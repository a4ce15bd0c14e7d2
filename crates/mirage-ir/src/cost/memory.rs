//! Lifetimes of activations.

use super::{Program, bytes};
use crate::{Graph, Node, NodeId, ValueId, analysis::Prologue};

/// The live activations at each node of an execution, if each is freed after its last use and views share
/// their source's memory. Inputs and states live throughout, results to the end. Weights and the workspace
/// of operations and regions are not included; the activations of called bodies are.
pub struct ActivationMemory {
    /// Bytes of inputs and states.
    entering: u64,
    /// For each node, the live bytes while it runs.
    at: Vec<u64>,
    /// For each node, the live bytes after it.
    after: Vec<u64>,
    /// For each node that is a call, the bytes of its body beyond operands and results.
    hidden: Vec<u64>,
    buffers: Buffers,
}

impl ActivationMemory {
    /// Computes the activations of a graph.
    pub fn of(graph: &Graph) -> Self {
        let prologue = Prologue::of(graph);
        let mut program = Program::default();
        let inside = |node| {
            if prologue.is_fixed(Node::output(node)) {
                0
            } else {
                program.node(graph, node).1
            }
        };
        let inside = graph.nodes().iter().map(inside).collect();
        Self::sweep(graph, &prologue, inside)
    }

    /// Computes the live bytes node by node. `inside` returns the peak of live bytes inside of a node,
    /// without its operands.
    pub(super) fn sweep(graph: &Graph, prologue: &Prologue, inside: Vec<u64>) -> Self {
        let buffers = Buffers::of(graph, prologue);
        let entering = graph
            .inputs()
            .iter()
            .map(|p| p.value)
            .chain(graph.states().iter().map(|s| s.input))
            .fold(0u64, |sum, v| sum.saturating_add(bytes(graph, v)));
        let mut alive = entering;
        let mut at = Vec::with_capacity(graph.nodes().len());
        let mut after = Vec::with_capacity(graph.nodes().len());
        let mut hidden = inside;
        let mut freed_after = vec![0u64; graph.nodes().len()];
        for (id, node) in graph.iter() {
            let mut written = 0u64;
            for &v in node.outputs.iter().filter(|&&v| buffers.is_owner(v)) {
                written = written.saturating_add(bytes(graph, v));
                if let Some(last) = buffers.last_use(v) {
                    let freed = &mut freed_after[last.index()];
                    *freed = freed.saturating_add(bytes(graph, v));
                }
            }
            let hidden = &mut hidden[id.index()];
            *hidden = hidden.saturating_sub(written);
            alive = alive.saturating_add(written);
            at.push(alive.saturating_add(*hidden));
            alive = alive.saturating_sub(freed_after[id.index()]);
            after.push(alive);
        }
        ActivationMemory {
            entering,
            at,
            after,
            hidden,
            buffers,
        }
    }

    /// Returns the bytes of inputs and states, which live throughout.
    pub fn entering_bytes(&self) -> u64 {
        self.entering
    }

    /// Returns the live bytes while a node runs, including its operands and results.
    pub fn bytes_at(&self, node: NodeId) -> u64 {
        self.at[node.index()]
    }

    /// Returns the live bytes after a node.
    pub fn bytes_after(&self, node: NodeId) -> u64 {
        self.after[node.index()]
    }

    /// Returns the part of [`Self::bytes_at`] that is inside a called body, neither operand nor result.
    pub fn hidden_at(&self, node: NodeId) -> u64 {
        self.hidden[node.index()]
    }

    /// Returns the peak of live bytes.
    pub fn peak_bytes(&self) -> u64 {
        self.at.iter().copied().fold(self.entering, u64::max)
    }

    /// Returns the first node at the peak; `None` if the graph has no nodes.
    pub fn peak(&self) -> Option<NodeId> {
        let most = self.at.iter().max()?;
        let place = self.at.iter().position(|at| at == most)?;
        Some(NodeId::from_index(place))
    }

    /// Returns the values whose memory is live while a node runs. Their bytes and [`Self::hidden_at`] sum to
    /// [`Self::bytes_at`].
    pub fn alive_at(&self, graph: &Graph, node: NodeId) -> Vec<ValueId> {
        let defined = |v: ValueId| graph.producer(v).is_none_or(|(id, _)| id <= node);
        let needed = |v: ValueId| {
            graph.producer(v).is_none() || self.buffers.last_use(v).is_none_or(|last| last >= node)
        };
        (0..graph.values().len())
            .map(ValueId::from_index)
            .filter(|&v| self.buffers.is_owner(v) && defined(v) && needed(v))
            .collect()
    }

    /// Returns the last node that needs the memory of a value of [`Self::alive_at`]; `None` if the value
    /// lives to the end.
    pub fn last_use(&self, graph: &Graph, value: ValueId) -> Option<NodeId> {
        graph.producer(value)?;
        self.buffers.last_use(value)
    }
}

/// Which values share memory, and how long it is needed.
struct Buffers {
    /// For each value, the value that owns its memory: itself unless it is a view; `None` for a weight.
    owner: Vec<Option<ValueId>>,
    last_use: Vec<Option<NodeId>>,
}

impl Buffers {
    fn of(graph: &Graph, prologue: &Prologue) -> Self {
        let count = graph.values().len();
        let mut buffers = Buffers {
            owner: vec![None; count],
            last_use: vec![None; count],
        };
        for v in (0..count)
            .map(ValueId::from_index)
            .filter(|&v| !prologue.is_fixed(v))
        {
            buffers.owner[v.index()] = Some(v);
        }
        for (id, node) in graph.iter() {
            for &v in node.inputs.iter().chain(&node.outputs) {
                buffers.use_at(v, Some(id));
            }
            if node
                .op
                .is_view(&graph.input_types(node), &graph.output_types(node))
            {
                buffers.owner[node.output().index()] = buffers.owner[node.inputs[0].index()];
            }
        }
        graph.results().for_each(|v| buffers.use_at(v, None));
        buffers
    }

    fn is_owner(&self, value: ValueId) -> bool {
        self.owner[value.index()] == Some(value)
    }

    /// Returns the last node that needs the memory that this value owns, at least the one that writes it;
    /// `None` if it is needed to the end.
    fn last_use(&self, owner: ValueId) -> Option<NodeId> {
        self.last_use[owner.index()]
    }

    fn use_at(&mut self, value: ValueId, node: Option<NodeId>) {
        if let Some(owner) = self.owner[value.index()] {
            self.last_use[owner.index()] = node;
        }
    }
}

//! What a graph costs: operations, bytes moved, bytes held.

use crate::{Graph, Node, NodeId, ValueId, analysis::Prologue};

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
    /// share their source's memory. Inputs and states are held throughout, results to the end;
    /// weights do not count.
    pub peak_activation_bytes: u64,
}

/// The cost of one execution of a graph.
pub fn graph_cost(graph: &Graph) -> GraphCost {
    let prologue = Prologue::of(graph);
    let mut cost = GraphCost {
        weight_bytes: prologue
            .kept()
            .iter()
            .map(|&v| graph.ty(v).bytes() as u64)
            .sum(),
        peak_activation_bytes: peak(graph, &prologue),
        ..GraphCost::default()
    };
    for node in graph
        .nodes()
        .iter()
        .filter(|n| !prologue.is_fixed(n.output()))
    {
        let c = node_cost(graph, node);
        // A valid graph may cost more than can be counted.
        cost.flops = cost.flops.saturating_add(c.flops);
        cost.bytes = cost.bytes.saturating_add(c.bytes());
        cost.activation_bytes = cost.activation_bytes.saturating_add(c.bytes_written);
    }
    cost
}

/// The peak of [`GraphCost::peak_activation_bytes`]: a sweep over the nodes that adds what each one
/// writes and takes away what no later one reads.
fn peak(graph: &Graph, prologue: &Prologue) -> u64 {
    let buffers = Buffers::of(graph, prologue);
    let entering = graph
        .inputs()
        .iter()
        .map(|p| p.value)
        .chain(graph.states().iter().map(|s| s.input));
    let mut alive = entering.fold(0u64, |sum, v| sum.saturating_add(bytes(graph, v)));
    let mut most = alive;
    let mut freed_after = vec![0u64; graph.nodes().len()];
    for (id, node) in graph.iter() {
        for &v in node
            .outputs
            .iter()
            .filter(|&&v| buffers.owner(v) == Some(v))
        {
            alive = alive.saturating_add(bytes(graph, v));
            if let Some(last) = buffers.last_use(v) {
                freed_after[last.index()] += bytes(graph, v);
            }
        }
        most = most.max(alive);
        alive = alive.saturating_sub(freed_after[id.index()]);
    }
    most
}

fn bytes(graph: &Graph, value: ValueId) -> u64 {
    graph.ty(value).bytes() as u64
}

/// Which values share memory, and until when it is needed.
struct Buffers {
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
                buffers.owner[node.output().index()] = buffers.owner(node.inputs[0]);
            }
        }
        graph.results().for_each(|v| buffers.use_at(v, None));
        buffers
    }

    /// The value whose memory this one has: itself unless it is a view; `None` for a weight.
    fn owner(&self, value: ValueId) -> Option<ValueId> {
        self.owner[value.index()]
    }

    /// The last node that needs the memory that this value owns, at least the one that writes it;
    /// `None` if it is needed to the end.
    fn last_use(&self, owner: ValueId) -> Option<NodeId> {
        self.last_use[owner.index()]
    }

    fn use_at(&mut self, value: ValueId, node: Option<NodeId>) {
        if let Some(owner) = self.owner(value) {
            self.last_use[owner.index()] = node;
        }
    }
}

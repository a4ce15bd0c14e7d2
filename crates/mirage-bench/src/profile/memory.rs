//! What memory is alive when.

use serde::Serialize;

/// The memory of an execution, bytes. Activations are counted by liveness in the graph that was
/// compiled: each is alive from the node that writes it to the last that reads it, views share their
/// source's memory, inputs and states are held throughout, results to the end. What a kernel or a
/// region needs inside is not counted; a call counts what its body holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Memory {
    /// Weights in the form that an execution reads, as the backend tells.
    pub weight_bytes: u64,
    /// States.
    pub state_bytes: u64,
    /// The most activations at once as the backend plans them: after regions without a kernel were
    /// replaced by their bodies, and with results written over operands in a static plan.
    pub planned_peak_bytes: u64,
    /// What executions take for activations, where the backend holds that memory itself.
    pub held_bytes: Option<u64>,
    /// Inputs and states, which are alive throughout.
    pub entering_bytes: u64,
    /// The most activations alive at once, by liveness.
    pub peak_bytes: u64,
    /// The node at which they are.
    pub peak_node: Option<usize>,
    /// Of them what is inside the body of a call.
    pub hidden_bytes: u64,
    /// What is alive there, the largest first.
    pub alive_at_peak: Vec<Alive>,
    /// Every node of an execution, in order.
    pub timeline: Vec<MemoryAt>,
}

/// What is alive while a node runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryAt {
    /// The node.
    pub node: usize,
    /// Its operation.
    pub op: String,
    /// Its module path.
    pub path: String,
    /// Its time, ms; 0 for a node that runs nothing, such as a view in a static plan.
    pub ms: f64,
    /// Bytes alive.
    pub bytes: u64,
}

/// A value that is alive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alive {
    /// Its number in the graph.
    pub value: usize,
    /// The node that wrote it; null for an input or a state.
    pub node: Option<usize>,
    /// That node's operation, or the input's or state's name.
    pub from: String,
    /// The module path that it came from.
    pub path: String,
    /// Its dtype and shape.
    pub ty: String,
    /// Its bytes.
    pub bytes: u64,
    /// The last node that reads it; null if it is held to the end.
    pub until: Option<usize>,
}

//! Whether a graph fits into memory.

use std::{collections::HashMap, fmt, sync::Arc};

use mirage_ir::{
    DType, Graph, Node, ValueId,
    analysis::Prologue,
    cost::{ActivationMemory, graph_cost},
    ops::{Attention, Call, Conv, ConvTranspose, Linear, Matmul},
};

use crate::BackendError;

/// The memory that is available, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// The whole memory of a device.
    Device(u64),
    /// The free memory of this machine.
    Free(u64),
}

impl Room {
    fn bytes(self) -> u64 {
        match self {
            Room::Device(bytes) | Room::Free(bytes) => bytes,
        }
    }
}

/// As `the device has 8000 MiB`.
impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Room::Device(bytes) => write!(f, "the device has {} MiB", mib(*bytes)),
            Room::Free(bytes) => write!(f, "this machine has {} MiB free", mib(*bytes)),
        }
    }
}

/// A lower bound on the memory that an execution of a graph needs, in bytes.
///
/// Workspaces are not counted, and a result may overwrite an operand that nothing else reads, except in
/// products and convolutions. So a graph that needs more than is available cannot run; one that needs less
/// may still fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeed {
    weights: u64,
    states: u64,
    /// The most activations at once, inputs among them.
    activations: u64,
}

impl MemoryNeed {
    /// The need of this graph, with each weight in the dtype that the graph gives it.
    pub fn of(graph: &Graph) -> Self {
        let states = graph
            .states()
            .iter()
            .fold(0, |sum: u64, s| sum.saturating_add(bytes(graph, s.input)));
        MemoryNeed {
            weights: graph_cost(graph).weight_bytes,
            states,
            activations: Least::default().peak(graph).0.saturating_sub(states),
        }
    }

    /// The need on a backend that holds weights in f32, whatever their dtype in the graph.
    pub fn with_f32_weights(graph: &Graph) -> Self {
        let is_half = |v: &ValueId| matches!(graph.ty(*v).dtype, DType::F16 | DType::BF16);
        let prologue = Prologue::of(graph);
        let halves = prologue.kept().iter().filter(|v| is_half(v));
        // In f32 each of them takes twice its bytes.
        let further = halves.fold(0, |sum: u64, &v| sum.saturating_add(bytes(graph, v)));
        let need = MemoryNeed::of(graph);
        MemoryNeed {
            weights: need.weights.saturating_add(further),
            ..need
        }
    }

    /// The sum.
    pub fn bytes(&self) -> u64 {
        self.weights
            .saturating_add(self.states)
            .saturating_add(self.activations)
    }

    /// Checks that it fits.
    ///
    /// # Errors
    /// [`BackendError::Memory`] if it does not. The message says what is needed and what is available.
    pub fn check(&self, backend: &str, room: Room) -> Result<(), BackendError> {
        let available = room.bytes();
        if self.bytes() <= available {
            return Ok(());
        }
        Err(BackendError::Memory {
            backend: backend.to_owned(),
            message: format!("not enough memory: the graph needs at least {self}, {room}"),
            available,
        })
    }
}

/// As `4000 MiB (3000 of weights, 1 of states, 999 of activations)`.
impl fmt::Display for MemoryNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MiB ({} of weights, {} of states, {} of activations)",
            mib(self.bytes()),
            mib(self.weights),
            mib(self.states),
            mib(self.activations)
        )
    }
}

/// The lower bound for graphs. A body that is called many times is computed once.
#[derive(Default)]
struct Least {
    /// For each body its peak beside its operands.
    bodies: HashMap<*const Graph, u64>,
}

impl Least {
    /// The most bytes of activations, inputs and states, and those of inputs and states.
    fn peak(&mut self, graph: &Graph) -> (u64, u64) {
        let memory = ActivationMemory::of(graph);
        let entering = memory.entering_bytes();
        let (mut before, mut most) = (entering, entering);
        for (id, node) in graph.iter() {
            let after = memory.bytes_after(id);
            let here = if has_memory_of_its_own(node) {
                memory.bytes_at(id)
            } else {
                after.max(before.saturating_add(self.inside(node)))
            };
            most = most.max(here);
            before = after;
        }
        (most, entering)
    }

    /// What the body of a call cannot do without, beside its operands.
    fn inside(&mut self, node: &Node) -> u64 {
        let Some(body) = node.op.body().filter(|_| node.op.is::<Call>()) else {
            return 0;
        };
        let place = Arc::as_ptr(body);
        if let Some(&known) = self.bodies.get(&place) {
            return known;
        }
        let (peak, entering) = self.peak(body);
        let inside = peak.saturating_sub(entering);
        self.bodies.insert(place, inside);
        inside
    }
}

/// Whether a result is written while all operands are read.
fn has_memory_of_its_own(node: &Node) -> bool {
    let op = &node.op;
    op.is::<Matmul>()
        || op.is::<Linear>()
        || op.is::<Conv>()
        || op.is::<ConvTranspose>()
        || op.is::<Attention>()
}

fn bytes(graph: &Graph, value: ValueId) -> u64 {
    graph.ty(value).bytes() as u64
}

/// Bytes in MiB, rounded up.
pub fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use mirage_ir::text;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn need() -> MemoryNeed {
        MemoryNeed {
            weights: 3000 * MIB,
            states: MIB,
            activations: 999 * MIB,
        }
    }

    fn of(text: &str) -> MemoryNeed {
        MemoryNeed::of(&text::parse(text).expect("the graph parses"))
    }

    fn refusal(need: &MemoryNeed, there: u64) -> String {
        let refused = need.check("b", Room::Device(there));
        refused.expect_err("it does not fit").to_string()
    }

    #[test]
    fn what_fits_is_not_refused() {
        assert_eq!(need().check("b", Room::Free(4000 * MIB)), Ok(()));
    }

    #[test]
    fn a_refusal_has_the_figures() {
        assert_eq!(
            refusal(&need(), 2500 * MIB),
            "backend `b`: not enough memory: the graph needs at least 4000 MiB (3000 of weights, 1 of \
             states, 999 of activations), the device has 2500 MiB"
        );
        let none_free = need().check("b", Room::Free(100 * MIB));
        let told = none_free.expect_err("it does not fit").to_string();
        assert!(told.contains("this machine has 100 MiB free"), "{told}");
    }

    #[test]
    fn half_weights_count_twice_where_they_are_held_in_f32() {
        let graph = text::parse(
            r#"graph "g" {
              input %0 "x": f16[1,64]
              param %1 "w": f32[64,64]
              %2: f16[64,64] = cast(%1) {dtype = "f16"}
              %3: f16[1,64] = linear(%0, %2)
              output "y" = %3
            }"#,
        )
        .expect("the graph parses");
        let (half, single) = (MemoryNeed::of(&graph), MemoryNeed::with_f32_weights(&graph));
        assert_eq!(half.weights, 2 * 64 * 64);
        assert_eq!(single.weights, 4 * 64 * 64);
        assert_eq!(single.activations, half.activations);
    }

    #[test]
    fn scores_written_out_are_counted() {
        let need = of(r#"graph "g" {
              input %0 "q": f16[1,64,8]
              input %1 "k": f16[1,8,64]
              %2: f16[1,64,64] = matmul(%0, %1)
              %3: f16[1,64,64] = softmax(%2) {dim = 2}
              %4: f16[1,64,8] = matmul(%3, %0)
              output "y" = %4
            }"#);
        // Queries, keys, scores, of which softmax needs one matrix, and the result of the last product.
        assert_eq!(need.bytes(), 2 * (3 * 64 * 8 + 64 * 64));
    }

    #[test]
    fn what_may_run_in_place_needs_its_memory_once() {
        let in_place = of(r#"graph "g" {
              input %0 "x": f32[1000]
              %1: f32[1000] = exp(%0)
              %2: f32[1000] = exp(%1)
              %3: f32[1000] = exp(%2)
              output "y" = %3
            }"#);
        assert_eq!(in_place.bytes(), 4 * 2000);
        let product = of(r#"graph "g" {
              input %0 "x": f32[10,10]
              %1: f32[10,10] = matmul(%0, %0)
              %2: f32[10,10] = matmul(%1, %1)
              output "y" = %2
            }"#);
        assert_eq!(product.bytes(), 4 * 300);
    }

    #[test]
    fn a_body_counts_where_it_is_called_and_states_once() {
        let called = of(r#"
            body "wide" graph "wide" {
              input %0 "x": f32[4]
              %1: f32[1,4] = reshape(%0) {shape = [1, 4]}
              %2: f32[8,4] = expand(%1) {shape = [8, 4]}
              %3: f32[8,4] = exp(%2)
              %4: f32[4] = sum(%3) {dims = [0]}
              output "y" = %4
            }
            graph "g" {
              state %0 "s": f32[4] -> %2
              %1: f32[4] = call(%0) body "wide"
              %2: f32[4] = call(%1) body "wide"
              output "y" = %2
            }"#);
        assert_eq!((called.states, called.weights), (16, 0));
        // In the second call: the state, its operand, and eight rows.
        assert_eq!(called.bytes(), 16 + 16 + 8 * 16);
    }
}

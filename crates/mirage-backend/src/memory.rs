//! Whether a graph fits into memory.

use std::{collections::HashMap, fmt, sync::Arc};

use mirage_ir::{
    DType, Graph, Node, Op, ValueId,
    cost::{ActivationMemory, graph_cost},
    ops::{Attention, Call, Conv, ConvTranspose, Linear, Matmul, Softmax},
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

/// A lower bound on the memory that an execution of a graph needs, in bytes, and what would reduce it.
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
    /// Whether half precision would need about half: the weights are f32 and no value is in half precision.
    halves: bool,
    /// Whether it has attention in separate operations, which hold the whole matrix of scores.
    scores: bool,
}

impl MemoryNeed {
    /// The need of this graph.
    pub fn of(graph: &Graph) -> Self {
        let any = |is: fn(&Op) -> bool| graph.nodes().iter().any(|n| is(&n.op));
        let states = graph
            .states()
            .iter()
            .fold(0, |sum: u64, s| sum.saturating_add(bytes(graph, s.input)));
        let params = graph.params().iter();
        let single = params
            .map(|p| graph.ty(p.value).dtype)
            .any(|dtype| dtype == DType::F32);
        MemoryNeed {
            weights: graph_cost(graph).weight_bytes,
            states,
            activations: Least::default().peak(graph).0.saturating_sub(states),
            halves: single && !has_halves(graph),
            scores: any(|op| op.is::<Softmax>())
                && any(|op| op.is::<Matmul>())
                && !any(|op| op.is::<Attention>()),
        }
    }

    /// The same for a backend that holds weights in f32 whatever their dtype in the graph.
    #[must_use]
    pub fn without_halves(self) -> Self {
        MemoryNeed {
            halves: false,
            ..self
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
    /// If it does not. The message says what is needed, what is available, and what would fit.
    pub fn check(&self, backend: &str, room: Room) -> Result<(), BackendError> {
        let there = room.bytes();
        if self.bytes() <= there {
            return Ok(());
        }
        Err(BackendError::Engine {
            backend: backend.to_owned(),
            message: format!(
                "not enough memory: the graph needs at least {self}, {room}: {}",
                self.advice(there)
            ),
        })
    }

    /// What would make it fit into `there` bytes.
    pub fn advice(&self, there: u64) -> String {
        let half = self.bytes() / 2;
        let mut found = Vec::new();
        if self.halves && half <= there {
            found.push(format!(
                "in half precision it needs about {} MiB, which fits",
                mib(half)
            ));
        } else if self.halves {
            found.push(format!(
                "half precision (about {} MiB) does not fit either",
                mib(half)
            ));
        }
        if self.scores {
            found
                .push("attention as one operation does not hold its matrices of scores".to_owned());
        }
        found.push("a smaller size or model takes less".to_owned());
        found.join("; ")
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
            let here = match has_memory_of_its_own(node) {
                true => memory.bytes_at(id),
                false => after.max(before.saturating_add(self.inside(node))),
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

/// Whether the graph itself brings something to half precision.
fn has_halves(graph: &Graph) -> bool {
    let low = |dtype| dtype == DType::F16 || dtype == DType::BF16;
    graph.values().iter().any(|v| low(v.ty.dtype))
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
            halves: true,
            scores: false,
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
    fn a_refusal_has_the_figures_and_what_would_fit() {
        assert_eq!(
            refusal(&need(), 2500 * MIB),
            "backend `b`: not enough memory: the graph needs at least 4000 MiB (3000 of weights, 1 of \
             states, 999 of activations), the device has 2500 MiB: in half precision it needs about 2000 \
             MiB, which fits; a smaller size or model takes less"
        );
        let none = refusal(&need(), 100 * MIB);
        assert!(
            none.contains("half precision (about 2000 MiB) does not fit either"),
            "{none}"
        );
        let f32_weights = refusal(&need().without_halves(), 2500 * MIB);
        assert!(!f32_weights.contains("half precision"), "{f32_weights}");
        let none_free = need().check("b", Room::Free(100 * MIB));
        let told = none_free.expect_err("it does not fit").to_string();
        assert!(told.contains("this machine has 100 MiB free"), "{told}");
    }

    #[test]
    fn attention_written_out_is_advised() {
        let need = of(r#"graph "g" {
              input %0 "q": f16[1,64,8]
              input %1 "k": f16[1,8,64]
              %2: f16[1,64,64] = matmul(%0, %1)
              %3: f16[1,64,64] = softmax(%2) {dim = 2}
              %4: f16[1,64,8] = matmul(%3, %0)
              output "y" = %4
            }"#);
        assert!(need.scores && !need.halves);
        // Queries, keys, scores, of which softmax needs one matrix, and the result of the last product.
        assert_eq!(need.bytes(), 2 * (3 * 64 * 8 + 64 * 64));
        let told = refusal(&need, 100);
        assert!(
            told.contains("attention as one operation does not hold"),
            "{told}"
        );
        assert!(!told.contains("half precision"), "{told}");
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

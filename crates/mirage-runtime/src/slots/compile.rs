//! Compiles a graph to a program on slots and its weights.

use mirage_backend::BackendError;
use mirage_ir::ValueId;

use super::{Body, Instruction};
use crate::{Engine, Prepared, bodies::Bodies};

/// A program, and its slots with the weights in place.
pub(super) struct CompiledProgram<T> {
    pub(super) instructions: Vec<Instruction<T>>,
    /// The first `weights` slots have the weights; the rest is empty between executions.
    pub(super) slots: Vec<Option<T>>,
    pub(super) weights: usize,
    /// For each value of the flat graph, its slot; unspecified for values of the prologue that are not kept.
    pub(super) slot_of: Vec<usize>,
}

/// Assigns an instruction to every node of an execution and a slot to every value. Called bodies are
/// compiled into `bodies`.
pub(super) fn compile<E: Engine>(
    prepared: &mut Prepared<E>,
    bodies: &mut Bodies<'_, Body<E::Tensor>>,
) -> Result<CompiledProgram<E::Tensor>, BackendError> {
    let mut plan = SlotPlan::new(prepared.graph().values().len());
    let mut slots = Vec::new();
    for (value, tensor) in prepared.take_weights() {
        plan.define(value);
        slots.push(Some(tensor));
    }
    let weights = slots.len();
    let graph = prepared.graph();
    let inputs = graph.inputs().iter().map(|p| p.value);
    let states = graph.states().iter().map(|s| s.input);
    inputs.chain(states).for_each(|v| plan.define(v));
    let mut instructions = Vec::new();
    for (id, node) in prepared.nodes() {
        node.outputs.iter().for_each(|&v| plan.define(v));
        let frees = prepared.dead_after(id, node);
        let slot_of = &plan.slot_of;
        instructions.push(prepared.instruction(id, &|v| slot_of[v.index()], &frees, bodies)?);
        frees.iter().for_each(|&v| plan.release(v));
    }
    slots.resize(plan.count, None);
    Ok(CompiledProgram {
        instructions,
        slots,
        weights,
        slot_of: plan.slot_of,
    })
}

/// Allocates slots by lifetime: the slot of a dead value is reused.
struct SlotPlan {
    slot_of: Vec<usize>,
    free: Vec<usize>,
    count: usize,
}

impl SlotPlan {
    fn new(values: usize) -> Self {
        SlotPlan {
            slot_of: vec![usize::MAX; values],
            free: Vec::new(),
            count: 0,
        }
    }

    fn define(&mut self, value: ValueId) {
        self.slot_of[value.index()] = self.free.pop().unwrap_or(self.count);
        self.count = self.count.max(self.slot_of[value.index()] + 1);
    }

    fn release(&mut self, value: ValueId) {
        self.free.push(self.slot_of[value.index()]);
    }
}

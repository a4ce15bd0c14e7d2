//! A compiled program: instructions on slots.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use burn_backend::{
    Backend,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use mirage_ir::NodeId;

use super::{Stopwatch, Tensor, catch::catch};

/// What an instruction does: takes its operands from [`Args`], gives its results to it. Everything
/// that does not depend on the elements is resolved before.
pub type Kernel<B> = Box<dyn Fn(&mut Args<'_, B>) -> Result<(), String> + Send + Sync>;

/// An operand: the slot that it is in, and whether this is its last use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) slot: usize,
    pub(super) moves: bool,
}

/// One node of the program.
pub struct Instruction<B: Backend> {
    /// The node of the compiled graph that it belongs to; a region's, for its body.
    pub(super) node: NodeId,
    pub(super) op: String,
    pub(super) path: Arc<str>,
    pub(super) inputs: Vec<Operand>,
    pub(super) outputs: Vec<usize>,
    /// Slots whose values nobody reads any more.
    pub(super) frees: Vec<usize>,
    pub(super) kernel: Kernel<B>,
}

/// The operands and results of an instruction under way.
pub struct Args<'a, B: Backend> {
    pub(super) slots: &'a mut [Option<Tensor<B>>],
    pub(super) inputs: &'a [Operand],
    pub(super) outputs: &'a [usize],
}

impl<B: Backend> Args<'_, B> {
    /// The number of operands.
    pub fn count(&self) -> usize {
        self.inputs.len()
    }

    /// Operand `i`, to be taken once. The last use of a value moves it, so that an engine which
    /// works in place on what nobody else holds can do so.
    pub fn take(&mut self, i: usize) -> Tensor<B> {
        let Operand { slot, moves } = self.inputs[i];
        let value = if moves {
            self.slots[slot].take()
        } else {
            self.slots[slot].clone()
        };
        value.unwrap_or_else(|| unreachable!("operand {i} is read before it is there"))
    }

    /// Operand `i`, a float tensor.
    pub fn float(&mut self, i: usize) -> FloatTensor<B> {
        self.take(i).into_float()
    }

    /// Operand `i`, an integer tensor.
    pub fn int(&mut self, i: usize) -> IntTensor<B> {
        self.take(i).into_int()
    }

    /// Operand `i`, a bool tensor.
    pub fn bool(&mut self, i: usize) -> BoolTensor<B> {
        self.take(i).into_bool()
    }

    /// Gives result `i`, of the physical shape of its type.
    pub fn set(&mut self, i: usize, value: Tensor<B>) {
        self.slots[self.outputs[i]] = Some(value);
    }
}

/// Runs one kernel on operands that it may take, outside of a program.
///
/// # Errors
/// What the kernel says, or what the engine panicked with.
pub fn call<B: Backend>(
    kernel: &Kernel<B>,
    operands: Vec<Tensor<B>>,
    results: usize,
) -> Result<Vec<Tensor<B>>, String> {
    let count = operands.len();
    let mut slots: Vec<Option<Tensor<B>>> = operands.into_iter().map(Some).collect();
    slots.resize(count + results, None);
    let inputs: Vec<Operand> = (0..count)
        .map(|slot| Operand { slot, moves: true })
        .collect();
    let outputs: Vec<usize> = (count..count + results).collect();
    let mut args = Args {
        slots: &mut slots,
        inputs: &inputs,
        outputs: &outputs,
    };
    catch(|| kernel(&mut args)).and_then(|r| r)?;
    let given: Option<Vec<Tensor<B>>> = slots.drain(count..).collect();
    given.ok_or_else(|| "a kernel gave no result".to_owned())
}

/// What is told of each instruction when it began, by the host's clock, and how long it took.
pub(super) type Observer<'a, B> = &'a mut (dyn FnMut(&Instruction<B>, Instant, Duration) + Send);

/// An observer, and what times instructions for it.
pub(super) type Observed<'a, B> = (Observer<'a, B>, Box<dyn Stopwatch + 'a>);

/// Runs instructions in order. With an observer, each is waited for, so that its time is its own. The
/// error names the instruction that failed.
pub(super) fn run<B: Backend>(
    instructions: &[Instruction<B>],
    slots: &mut [Option<Tensor<B>>],
    mut observed: Option<Observed<'_, B>>,
) -> Result<(), String> {
    let mut at = 0;
    let result = catch(|| {
        for (i, instruction) in instructions.iter().enumerate() {
            at = i;
            let mut start = None;
            if let Some((_, watch)) = &mut observed {
                start = Some(Instant::now());
                watch.start()?;
            }
            let mut args = Args {
                slots: &mut *slots,
                inputs: &instruction.inputs,
                outputs: &instruction.outputs,
            };
            (instruction.kernel)(&mut args)?;
            for &slot in &instruction.frees {
                slots[slot] = None;
            }
            if let (Some((observer, watch)), Some(start)) = (&mut observed, start) {
                observer(instruction, start, watch.stop()?);
            }
        }
        Ok(())
    });
    result.and_then(|r| r).map_err(|message| {
        let i = &instructions[at];
        let place = if i.path.is_empty() {
            String::new()
        } else {
            format!(" at `{}`", i.path)
        };
        format!(
            "node {} ({}{place}) failed: {message}",
            i.node.index(),
            i.op
        )
    })
}

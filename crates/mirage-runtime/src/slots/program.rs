//! A compiled program: instructions on slots.

use std::sync::Arc;

use mirage_backend::BackendError;
use mirage_ir::{Graph, ValueId};

use super::compile::{CompiledProgram, compile};
use crate::{
    Engine, Tensor,
    bodies::{Bodies, lock},
    catch,
    run::{self, Label, Timed},
};

/// A kernel on tensors: takes its operands from [`Args`] and sets its results there. Everything that does
/// not depend on elements is resolved.
pub type Kernel<T> = Box<dyn Fn(&mut Args<'_, T>) -> Result<(), String> + Send + Sync>;

/// An operand: its slot, and whether this is the last use of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand {
    pub(crate) slot: usize,
    pub(crate) moves: bool,
}

/// One node of the program.
pub(crate) struct Instruction<T> {
    pub(crate) label: Label,
    pub(crate) inputs: Vec<Operand>,
    pub(crate) outputs: Vec<usize>,
    /// Slots whose values are dead afterwards.
    pub(crate) frees: Vec<usize>,
    pub(crate) kernel: Kernel<T>,
}

/// The operands and results of a kernel.
pub struct Args<'a, T> {
    slots: &'a mut [Option<T>],
    inputs: &'a [Operand],
    outputs: &'a [usize],
}

impl<T: Clone> Args<'_, T> {
    /// The number of operands.
    pub fn count(&self) -> usize {
        self.inputs.len()
    }

    /// Takes operand `i`, at most once. The last use of a value moves it, so that an engine can compute in
    /// place on tensors with a single owner.
    pub fn take(&mut self, i: usize) -> T {
        let Operand { slot, moves } = self.inputs[i];
        let value = if moves {
            self.slots[slot].take()
        } else {
            self.slots[slot].clone()
        };
        value.unwrap_or_else(|| unreachable!("operand {i} is read before it is set"))
    }

    /// Sets result `i`, which must have the physical shape of its type.
    pub fn set(&mut self, i: usize, value: T) {
        self.slots[self.outputs[i]] = Some(value);
    }
}

/// Runs one kernel on operands that it may consume, outside of a program.
///
/// # Errors
/// If the kernel fails or panics.
pub fn call<T: Clone>(
    kernel: &Kernel<T>,
    operands: Vec<T>,
    results: usize,
) -> Result<Vec<T>, String> {
    let count = operands.len();
    let mut slots: Vec<Option<T>> = operands.into_iter().map(Some).collect();
    slots.resize_with(count + results, || None);
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
    let given: Option<Vec<T>> = slots.drain(count..).collect();
    given.ok_or_else(|| "a kernel set no result".to_owned())
}

/// Runs instructions in order.
pub(crate) fn run<T: Clone>(
    instructions: &[Instruction<T>],
    slots: &mut [Option<T>],
    timed: Option<Timed<'_>>,
) -> Result<(), String> {
    run::run(
        instructions,
        |i| &i.label,
        timed,
        |instruction| {
            let mut args = Args {
                slots: &mut *slots,
                inputs: &instruction.inputs,
                outputs: &instruction.outputs,
            };
            (instruction.kernel)(&mut args)?;
            for &slot in &instruction.frees {
                slots[slot] = None;
            }
            Ok(())
        },
    )
}

/// A compiled body of a call.
pub(crate) struct Body<T> {
    compiled: CompiledProgram<T>,
    /// The slot of each input and its physical shape, from which an argument's may differ in dimensions of
    /// size 1.
    inputs: Vec<(usize, Vec<usize>)>,
    outputs: Vec<usize>,
}

impl<T: Tensor> Body<T> {
    fn run(&mut self, inputs: Vec<T>) -> Result<Vec<T>, String> {
        let CompiledProgram {
            instructions,
            slots,
            weights,
            ..
        } = &mut self.compiled;
        for ((slot, shape), input) in self.inputs.iter().zip(inputs) {
            let fits = input.shape() == *shape;
            slots[*slot] = Some(if fits { input } else { input.reshape(shape) });
        }
        let result = run(instructions, slots, None);
        let outputs = self.outputs.iter().map(|&slot| slots[slot].clone());
        let outputs: Option<Vec<_>> = outputs.collect();
        slots[*weights..].fill(None);
        result?;
        outputs.ok_or_else(|| "a body set no result".to_owned())
    }
}

impl<T: Tensor> Bodies<'_, Body<T>> {
    /// The kernel that calls a body.
    pub(crate) fn kernel<E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        graph: &Arc<Graph>,
    ) -> Result<Kernel<T>, BackendError> {
        let body = self.get(engine, graph, |prepared, bodies| {
            let compiled = compile(prepared, bodies)?;
            let flat = prepared.graph();
            let slot = |v: ValueId| compiled.slot_of[v.index()];
            let inputs = flat.inputs().iter();
            Ok(Body {
                inputs: inputs
                    .map(|p| (slot(p.value), flat.ty(p.value).physical_shape()))
                    .collect(),
                outputs: flat.outputs().iter().map(|p| slot(p.value)).collect(),
                compiled,
            })
        })?;
        Ok(Box::new(move |args| {
            let inputs = (0..args.count()).map(|i| args.take(i)).collect();
            let outputs = lock(&body).run(inputs)?;
            let all = outputs.into_iter().enumerate();
            all.for_each(|(i, output)| args.set(i, output));
            Ok(())
        }))
    }
}

//! A program on planned memory.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
};

use bumpalo::Bump;
use mirage_ir::{DType, TensorData, TensorType};

use super::{
    HostKernel, HostKernels, Operand, Space, View,
    data::{Data, Elements},
    integers::IntegerKernel,
    memory::{Carved, carve},
    narrow::{is_narrow, narrow, widen},
};
use crate::{
    Engine, Kernel,
    bodies::lock,
    run::{self, Label, Timed},
    slots::call,
};

/// What holds the memory of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Input(usize),
    State(usize),
    Weight(usize),
    /// Planned memory: first the buffer's index, later its offset.
    Planned(usize),
}

/// Where a value is stored.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    /// Its type; for a view, its own type and not that of what it views.
    pub(super) ty: TensorType,
    /// Strides of its physical dimensions, if they are not those of its type.
    pub(super) strides: Option<[usize; 4]>,
}

pub(super) enum Work<E: Engine> {
    /// A kernel on slices.
    Own(HostKernel),
    /// A kernel on integers and bools, and the bytes of the operands that are weights, which the engine may
    /// hold in another width.
    Integers(IntegerKernel, Vec<Option<Box<[u8]>>>),
    /// A kernel of the engine: operands and results are copied, and it allocates.
    Engine(Kernel<E::Tensor>),
    /// A call of a body, which has its own memory.
    Call(Arc<Mutex<Body<E>>>),
}

/// A called body: its program, and where its inputs and outputs are.
pub(super) struct Body<E: Engine> {
    pub(super) program: Program<E>,
    pub(super) inputs: Vec<Data>,
    pub(super) outputs: Vec<Place>,
}

/// One node of a program.
pub(super) struct Step<E: Engine> {
    pub(super) label: Label,
    pub(super) work: Work<E>,
    pub(super) operands: Vec<Place>,
    /// Where results are stored, in planned memory of their dtype.
    pub(super) results: Vec<(TensorType, usize)>,
    pub(super) own: Own,
}

/// The buffers in the planned memory of f32 that a kernel on slices writes: first their indices, later
/// their offsets.
#[derive(Default)]
pub(super) struct Own {
    /// The operand that the first result overwrites.
    pub(super) in_place: Option<usize>,
    /// For each operand of f16 or bf16, where it is widened to.
    pub(super) widened: Vec<Option<usize>>,
    /// Where results are written; those of f16 and bf16 are rounded from there.
    pub(super) results: Vec<usize>,
    pub(super) workspace: Option<usize>,
}

/// The values that are given for each execution.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a> {
    pub(super) inputs: &'a [&'a Data],
    pub(super) states: &'a [Data],
}

/// Initial bytes of the arena for the lists of a step; it grows once if needed.
pub(super) const LISTS: usize = 16 << 10;

/// Steps, the weights that they read and the memory that they work in.
pub(super) struct Program<E: Engine> {
    pub(super) engine: E,
    pub(super) kernels: Arc<dyn HostKernels<E::Tensor>>,
    pub(super) steps: Vec<Step<E>>,
    pub(super) weights: Vec<E::Tensor>,
    /// Planned memory of f32, and of all other dtypes.
    pub(super) floats: Vec<f32>,
    pub(super) bytes: Vec<u8>,
    /// Arena for lists that live as long as a step.
    pub(super) lists: Bump,
}

impl<E: Engine> Program<E> {
    /// Runs every step.
    pub(super) fn run(
        &mut self,
        given: Arguments<'_>,
        timed: Option<Timed<'_>>,
    ) -> Result<(), String> {
        run::run(
            &self.steps,
            |step| &step.label,
            timed,
            |step| {
                let memory = Memory {
                    floats: &mut self.floats,
                    bytes: &mut self.bytes,
                    weights: Weights {
                        engine: &self.engine,
                        kernels: &*self.kernels,
                        tensors: &self.weights,
                    },
                    given: &given,
                    lists: &self.lists,
                };
                memory.run(step)?;
                self.lists.reset();
                Ok(())
            },
        )
    }

    /// Copies a stored value after a run.
    pub(super) fn copy(&self, place: &Place, given: &Arguments<'_>, to: Elements<'_>) {
        let weights = Weights {
            engine: &self.engine,
            kernels: &*self.kernels,
            tensors: &self.weights,
        };
        copy(&self.floats, &self.bytes, weights, place, given, to);
    }

    /// Returns the names of the operations that the engine runs, once for each occurrence, without those in
    /// bodies.
    pub(super) fn engine_runs(&self) -> impl Iterator<Item = String> {
        let by_engine = |s: &&Step<E>| matches!(s.work, Work::Engine(_));
        self.steps
            .iter()
            .filter(by_engine)
            .map(|s| s.label.op.clone())
    }

    /// The bytes of planned memory.
    pub(super) fn planned_bytes(&self) -> u64 {
        (size_of_val(&self.floats[..]) + self.bytes.len()) as u64
    }
}

/// The weights of a program, and the kernels that read them.
struct Weights<'m, E: Engine> {
    engine: &'m E,
    kernels: &'m dyn HostKernels<E::Tensor>,
    tensors: &'m [E::Tensor],
}

impl<E: Engine> Clone for Weights<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Engine> Copy for Weights<'_, E> {}

impl<'m, E: Engine> Weights<'m, E> {
    fn floats(self, i: usize) -> &'m [f32] {
        self.kernels.floats(&self.tensors[i])
    }

    fn bytes(self, i: usize) -> &'m [u8] {
        self.kernels.bytes(&self.tensors[i])
    }

    /// Returns the elements as `dtype`, which the engine may store differently.
    fn data(self, i: usize, dtype: DType) -> Result<TensorData, String> {
        self.engine.download(self.tensors[i].clone(), dtype)
    }
}

/// Copies a stored value.
fn copy<E: Engine>(
    floats: &[f32],
    bytes: &[u8],
    weights: Weights<'_, E>,
    place: &Place,
    given: &Arguments<'_>,
    to: Elements<'_>,
) {
    let ty = &place.ty;
    match to {
        Elements::Floats(to) => to.copy_from_slice(match place.root {
            Root::Input(i) => given.inputs[i].floats(),
            Root::State(i) => given.states[i].floats(),
            Root::Weight(i) => weights.floats(i),
            Root::Planned(at) => &floats[at..][..ty.numel()],
        }),
        Elements::Bytes(to) => match place.root {
            Root::Input(i) => to.copy_from_slice(given.inputs[i].bytes()),
            Root::State(i) => to.copy_from_slice(given.states[i].bytes()),
            Root::Weight(i) => {
                if let Ok(data) = weights.data(i, ty.dtype) {
                    to.copy_from_slice(data.bytes());
                }
            }
            Root::Planned(at) => to.copy_from_slice(&bytes[at..][..ty.bytes()]),
        },
    }
}

/// The memory that a step reads and writes.
struct Memory<'m, 'g, E: Engine> {
    floats: &'m mut [f32],
    bytes: &'m mut [u8],
    weights: Weights<'m, E>,
    given: &'m Arguments<'g>,
    lists: &'m Bump,
}

impl<E: Engine> Memory<'_, '_, E> {
    fn run(self, step: &Step<E>) -> Result<(), String> {
        match &step.work {
            Work::Own(kernel) => {
                self.own(kernel, step);
                Ok(())
            }
            Work::Integers(kernel, weights) => self.integers(kernel, weights, step),
            Work::Engine(kernel) => self.engine(kernel, step),
            Work::Call(body) => self.call(&mut lock(body), step),
        }
    }

    fn own(mut self, kernel: &HostKernel, step: &Step<E>) {
        self.widen(step);
        let lists = self.lists;
        let written = step.results.len() + 1;
        let range = |i: usize| match step.results.get(i) {
            Some((ty, _)) => step.own.results[i]..step.own.results[i] + ty.numel(),
            None => {
                let start = step.own.workspace.unwrap_or(0);
                start..start + kernel.workspace
            }
        };
        let carved = carve(self.floats, (0..written).map(range), lists);
        let (bytes, weights, given) = (&*self.bytes, self.weights, self.given);
        let operand = |(i, place): (usize, &Place)| -> Operand<'_> {
            if step.own.in_place == Some(i) {
                return Operand::InResult;
            }
            if place.ty.dtype == DType::Bool {
                return Operand::Bool(match place.root {
                    Root::Planned(at) => &bytes[at..][..place.ty.numel()],
                    Root::Input(i) => given.inputs[i].bytes(),
                    Root::State(i) => given.states[i].bytes(),
                    Root::Weight(i) => weights.bytes(i),
                });
            }
            let elements = match (step.own.widened[i], place.root) {
                (Some(at), _) | (None, Root::Planned(at)) => carved.read(at..at + place.ty.numel()),
                (None, Root::Input(i)) => given.inputs[i].floats(),
                (None, Root::State(i)) => given.states[i].floats(),
                (None, Root::Weight(i)) => weights.floats(i),
            };
            match place.strides {
                Some(strides) => Operand::View(View {
                    elements,
                    start: 0,
                    strides,
                }),
                None => Operand::Float(elements),
            }
        };
        let operands = lists.alloc_slice_fill_iter(step.operands.iter().enumerate().map(operand));
        let Carved { written, .. } = carved;
        let (results, workspace) = written.split_at_mut(step.results.len());
        kernel.run(
            operands,
            Space {
                results,
                workspace: workspace[0],
            },
        );
        for ((ty, at), wide) in step.results.iter().zip(&step.own.results) {
            if is_narrow(ty.dtype) {
                let halves = &mut self.bytes[*at..][..ty.bytes()];
                narrow(ty.dtype, &self.floats[*wide..][..ty.numel()], halves);
            }
        }
    }

    fn integers(
        self,
        kernel: &IntegerKernel,
        weights: &[Option<Box<[u8]>>],
        step: &Step<E>,
    ) -> Result<(), String> {
        let [(ty, at)] = &step.results[..] else {
            unreachable!("a kernel on integers has one result")
        };
        let range = *at..*at + ty.bytes();
        let carved = carve(self.bytes, std::iter::once(range), self.lists);
        let operand = |i: usize| -> &[u8] {
            let place = &step.operands[i];
            match (&weights[i], place.root) {
                (Some(weight), _) => weight,
                (None, Root::Planned(at)) => carved.read(at..at + place.ty.bytes()),
                (None, Root::Input(i)) => self.given.inputs[i].bytes(),
                (None, Root::State(i)) => self.given.states[i].bytes(),
                (None, Root::Weight(i)) => self.weights.bytes(i),
            }
        };
        let operands = self.lists.alloc_slice_fill_with(weights.len(), operand);
        kernel.run(operands, carved.written[0])
    }

    /// Widens operands of f16 and bf16 to f32.
    fn widen(&mut self, step: &Step<E>) {
        for (place, at) in step.operands.iter().zip(&step.own.widened) {
            let Some(at) = *at else { continue };
            let ty = &place.ty;
            let halves = match place.root {
                Root::Planned(at) => &self.bytes[at..][..ty.bytes()],
                Root::Input(i) => self.given.inputs[i].bytes(),
                Root::State(i) => self.given.states[i].bytes(),
                Root::Weight(i) => self.weights.bytes(i),
            };
            widen(ty.dtype, halves, &mut self.floats[at..][..ty.numel()]);
        }
    }

    fn call(self, body: &mut Body<E>, step: &Step<E>) -> Result<(), String> {
        let (floats, bytes) = (&*self.floats, &*self.bytes);
        for (place, input) in step.operands.iter().zip(&mut body.inputs) {
            let to = input.elements();
            copy(floats, bytes, self.weights, place, self.given, to);
        }
        let inputs = self.lists.alloc_slice_fill_iter(body.inputs.iter());
        let states = &[];
        let given = Arguments { inputs, states };
        body.program.run(given, None)?;
        for ((ty, at), place) in step.results.iter().zip(&body.outputs) {
            let to = match ty.dtype {
                DType::F32 => Elements::Floats(&mut self.floats[*at..][..ty.numel()]),
                _ => Elements::Bytes(&mut self.bytes[*at..][..ty.bytes()]),
            };
            body.program.copy(place, &given, to);
        }
        Ok(())
    }

    fn engine(self, kernel: &Kernel<E::Tensor>, step: &Step<E>) -> Result<(), String> {
        let operands = step.operands.iter().map(|place| self.tensor(place));
        let operands: Result<Vec<E::Tensor>, String> = operands.collect();
        let results = call(kernel, operands?, step.results.len())?;
        for ((ty, at), result) in step.results.iter().zip(results) {
            let data = self.weights.engine.download(result, ty.dtype)?;
            if ty.dtype == DType::F32 {
                let to = &mut self.floats[*at..][..ty.numel()];
                to.iter_mut()
                    .zip(floats_of(data.bytes()))
                    .for_each(|(to, x)| *to = x);
            } else {
                self.bytes[*at..][..ty.bytes()].copy_from_slice(data.bytes());
            }
        }
        Ok(())
    }

    /// Returns a value as a tensor of the engine.
    fn tensor(&self, place: &Place) -> Result<E::Tensor, String> {
        let ty = &place.ty;
        let shape = ty.physical_shape();
        let of_data = |data: &Data| data.to_tensor_data(ty.dtype, shape.clone());
        let range = |at: usize, len: usize| -> Range<usize> { at..at + len };
        let data = match place.root {
            // In its stored form, which the kernel was compiled for.
            Root::Weight(i) => return Ok(self.weights.tensors[i].clone()),
            Root::Input(i) => of_data(self.given.inputs[i]),
            Root::State(i) => of_data(&self.given.states[i]),
            Root::Planned(at) if ty.dtype == DType::F32 => {
                TensorData::from_f32(shape, &self.floats[range(at, ty.numel())])
            }
            Root::Planned(at) => {
                TensorData::new(ty.dtype, shape, self.bytes[range(at, ty.bytes())].to_vec())
            }
        };
        self.weights.engine.upload(&data?)
    }
}

/// Converts little-endian bytes to floats.
pub(super) fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks_exact(4).map(float)
}

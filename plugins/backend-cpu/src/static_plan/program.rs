//! A program on planned memory.

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bumpalo::Bump;
use burn_flex::{Flex, FlexDevice};
use mirage_backend::burn::{self as engine, Kernel, Storage, Tensor};
use mirage_ir::{DType, NodeId, TensorData, TensorType};

use super::{
    data::{Data, Elements},
    halves::{is_half, narrow, widen},
    memory::{Carved, carve},
};
use crate::kernels::{
    computation::{Computation, Operand, Space, View},
    flex::elements,
};

/// What holds the memory of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Input(usize),
    State(usize),
    Weight(usize),
    /// Planned memory: the buffer's number, then its offset.
    Planned(usize),
}

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) root: Root,
    /// Its type; of a view the type that it has, not that of what it views.
    pub(super) ty: TensorType,
    /// Strides of its physical dimensions, where a kernel takes them.
    pub(super) strides: Option<[usize; 4]>,
}

pub(super) enum Work {
    /// One of our kernels.
    Own(Computation),
    /// The engine's: operands and results are copied, and it allocates.
    Engine(Kernel<Flex>),
    /// A body that is called, in memory of its own.
    Call(Arc<Mutex<Body>>),
}

/// A body that is called: its program, and where what crosses its border stands.
pub(super) struct Body {
    pub(super) program: Program,
    pub(super) inputs: Vec<Data>,
    pub(super) outputs: Vec<Place>,
}

/// One node of a program.
pub(super) struct Step {
    /// The node of the compiled graph that it belongs to.
    pub(super) node: NodeId,
    pub(super) op: String,
    pub(super) path: Arc<str>,
    pub(super) work: Work,
    pub(super) operands: Vec<Place>,
    /// Where results stand, by planned memory of their dtype.
    pub(super) results: Vec<(TensorType, usize)>,
    pub(super) own: Own,
}

/// Where in the planned memory of f32 one of our kernels works: the buffers' numbers, then their
/// offsets.
#[derive(Default)]
pub(super) struct Own {
    /// The operand that the first result is written over.
    pub(super) in_place: Option<usize>,
    /// For each operand where its halves are widened to, if it is of halves.
    pub(super) widened: Vec<Option<usize>>,
    /// Where results are written; those of halves are rounded from there.
    pub(super) results: Vec<usize>,
    pub(super) workspace: Option<usize>,
}

/// What is given anew for an execution.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) inputs: &'a [&'a Data],
    pub(super) states: &'a [Data],
}

/// Bytes for the lists of a step; more is made room for once.
pub(super) const LISTS: usize = 16 << 10;

/// Steps, the weights that they read and the memory that they work in.
pub(super) struct Program {
    pub(super) steps: Vec<Step>,
    pub(super) weights: Vec<Tensor<Flex>>,
    /// Planned memory of f32, and of all other dtypes.
    pub(super) floats: Vec<f32>,
    pub(super) bytes: Vec<u8>,
    pub(super) storage: Storage,
    /// Lists that live as long as a step.
    pub(super) lists: Bump,
}

/// What is told of each step when it began and how long it took.
pub(super) type Observer<'a> = &'a mut (dyn FnMut(NodeId, Instant, Duration) + Send);

impl Program {
    /// Runs every step.
    pub(super) fn run(
        &mut self,
        given: Given<'_>,
        mut observer: Option<Observer<'_>>,
    ) -> Result<(), String> {
        for step in &self.steps {
            let start = observer.is_some().then(Instant::now);
            let memory = Memory {
                floats: &mut self.floats,
                bytes: &mut self.bytes,
                weights: &self.weights,
                given: &given,
                lists: &self.lists,
            };
            memory.run(step, &self.storage).map_err(|message| {
                let place = if step.path.is_empty() {
                    String::new()
                } else {
                    format!(" at `{}`", step.path)
                };
                let node = step.node.index();
                format!("node {node} ({}{place}) failed: {message}", step.op)
            })?;
            self.lists.reset();
            if let (Some(observer), Some(start)) = (&mut observer, start) {
                observer(step.node, start, start.elapsed());
            }
        }
        Ok(())
    }

    /// Copies the value that stands at a place after a run.
    pub(super) fn copy(&self, place: &Place, given: &Given<'_>, to: Elements<'_>) {
        copy(&self.floats, &self.bytes, &self.weights, place, given, to);
    }

    /// Names of the operations that the engine runs, one an occurrence; without those in bodies.
    pub(super) fn engine_runs(&self) -> impl Iterator<Item = String> {
        let by_engine = |s: &&Step| matches!(s.work, Work::Engine(_));
        self.steps.iter().filter(by_engine).map(|s| s.op.clone())
    }

    /// The bytes of planned memory.
    pub(super) fn planned_bytes(&self) -> u64 {
        (size_of_val(&self.floats[..]) + self.bytes.len()) as u64
    }
}

/// The body, whatever became of an execution before.
pub(super) fn lock(body: &Mutex<Body>) -> MutexGuard<'_, Body> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies the value that stands at a place.
fn copy(
    floats: &[f32],
    bytes: &[u8],
    weights: &[Tensor<Flex>],
    place: &Place,
    given: &Given<'_>,
    to: Elements<'_>,
) {
    let ty = &place.ty;
    match to {
        Elements::Floats(to) => to.copy_from_slice(match place.root {
            Root::Input(i) => given.inputs[i].floats(),
            Root::State(i) => given.states[i].floats(),
            Root::Weight(i) => weight(&weights[i]),
            Root::Planned(at) => &floats[at..][..ty.numel()],
        }),
        Elements::Bytes(to) => match place.root {
            Root::Input(i) => to.copy_from_slice(given.inputs[i].bytes()),
            Root::State(i) => to.copy_from_slice(given.states[i].bytes()),
            Root::Weight(i) => {
                if let Ok(data) = weights[i].clone().to_data(ty.dtype) {
                    to.copy_from_slice(data.bytes());
                }
            }
            Root::Planned(at) => to.copy_from_slice(&bytes[at..][..ty.bytes()]),
        },
    }
}

fn weight(tensor: &Tensor<Flex>) -> &[f32] {
    match tensor {
        Tensor::Float(t) => elements(t),
        _ => unreachable!("a weight of floats"),
    }
}

/// All that a step reads and writes.
struct Memory<'m, 'g> {
    floats: &'m mut [f32],
    bytes: &'m mut [u8],
    weights: &'m [Tensor<Flex>],
    given: &'m Given<'g>,
    lists: &'m Bump,
}

impl Memory<'_, '_> {
    fn run(self, step: &Step, storage: &Storage) -> Result<(), String> {
        match &step.work {
            Work::Own(computation) => {
                self.own(computation, step);
                Ok(())
            }
            Work::Engine(kernel) => self.engine(kernel, step, storage),
            Work::Call(body) => self.call(&mut lock(body), step),
        }
    }

    fn own(mut self, computation: &Computation, step: &Step) {
        self.widen(step);
        let lists = self.lists;
        let written = step.results.len() + 1;
        let range = |i: usize| match step.results.get(i) {
            Some((ty, _)) => step.own.results[i]..step.own.results[i] + ty.numel(),
            None => {
                let start = step.own.workspace.unwrap_or(0);
                start..start + computation.workspace
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
                    Root::Weight(i) => bools(&weights[i]),
                });
            }
            let elements = match (step.own.widened[i], place.root) {
                (Some(at), _) | (None, Root::Planned(at)) => carved.read(at..at + place.ty.numel()),
                (None, Root::Input(i)) => given.inputs[i].floats(),
                (None, Root::State(i)) => given.states[i].floats(),
                (None, Root::Weight(i)) => weight(&weights[i]),
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
        computation.run(
            operands,
            Space {
                results,
                workspace: workspace[0],
            },
        );
        for ((ty, at), wide) in step.results.iter().zip(&step.own.results) {
            if is_half(ty.dtype) {
                let halves = &mut self.bytes[*at..][..ty.bytes()];
                narrow(ty.dtype, &self.floats[*wide..][..ty.numel()], halves);
            }
        }
    }

    /// Writes operands of halves to where they are read as f32.
    fn widen(&mut self, step: &Step) {
        for (place, at) in step.operands.iter().zip(&step.own.widened) {
            let Some(at) = *at else { continue };
            let ty = &place.ty;
            let halves = match place.root {
                Root::Planned(at) => &self.bytes[at..][..ty.bytes()],
                Root::Input(i) => self.given.inputs[i].bytes(),
                Root::State(i) => self.given.states[i].bytes(),
                Root::Weight(i) => bytes_of(&self.weights[i]),
            };
            widen(ty.dtype, halves, &mut self.floats[at..][..ty.numel()]);
        }
    }

    fn call(self, body: &mut Body, step: &Step) -> Result<(), String> {
        let (floats, bytes) = (&*self.floats, &*self.bytes);
        for (place, input) in step.operands.iter().zip(&mut body.inputs) {
            let to = input.elements();
            copy(floats, bytes, self.weights, place, self.given, to);
        }
        let inputs = self.lists.alloc_slice_fill_iter(body.inputs.iter());
        let states = &[];
        let given = Given { inputs, states };
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

    fn engine(self, kernel: &Kernel<Flex>, step: &Step, storage: &Storage) -> Result<(), String> {
        let operands: Result<Vec<Tensor<Flex>>, String> = step
            .operands
            .iter()
            .map(|place| self.tensor(place, storage))
            .collect();
        let results = engine::call(kernel, operands?, step.results.len())?;
        for ((ty, at), result) in step.results.iter().zip(results) {
            let data = result.to_data(ty.dtype)?;
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

    /// A value as a tensor of the engine.
    fn tensor(&self, place: &Place, storage: &Storage) -> Result<Tensor<Flex>, String> {
        let ty = &place.ty;
        let shape = ty.physical_shape();
        let of_data = |data: &Data| data.to_tensor_data(ty.dtype, shape.clone());
        let range = |at: usize, len: usize| -> Range<usize> { at..at + len };
        let data = match place.root {
            // As it is held, which is how the kernel was told that it is.
            Root::Weight(i) => return Ok(self.weights[i].clone()),
            Root::Input(i) => of_data(self.given.inputs[i]),
            Root::State(i) => of_data(&self.given.states[i]),
            Root::Planned(at) if ty.dtype == DType::F32 => {
                TensorData::from_f32(shape, &self.floats[range(at, ty.numel())])
            }
            Root::Planned(at) => {
                TensorData::new(ty.dtype, shape, self.bytes[range(at, ty.bytes())].to_vec())
            }
        };
        Ok(Tensor::from_data(&data?, storage, &FlexDevice))
    }
}

/// The bools of a weight that lies in sequence.
fn bools(tensor: &Tensor<Flex>) -> &[u8] {
    match tensor {
        Tensor::Bool(_) => bytes_of(tensor),
        _ => unreachable!("a weight of bools"),
    }
}

/// The bytes of a weight that lies in sequence.
fn bytes_of(tensor: &Tensor<Flex>) -> &[u8] {
    let (Tensor::Float(t) | Tensor::Int(t) | Tensor::Bool(t)) = tensor;
    let (layout, size) = (t.layout(), t.dtype().size());
    &t.bytes()[layout.start_offset() * size..][..layout.num_elements() * size]
}

/// Floats from their bytes on the host, little endian.
pub(super) fn floats_of(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let float = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks_exact(4).map(float)
}

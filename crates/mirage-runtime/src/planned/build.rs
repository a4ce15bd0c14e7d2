//! Compiles a prepared graph to a program on planned memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bumpalo::Bump;
use mirage_backend::BackendError;
use mirage_ir::{DType, Graph, Node, NodeId, TensorType, ValueId, ops::Call};

use super::{
    HostKernel, HostKernels,
    aliases::Aliases,
    data::Data,
    integers,
    memory::{Lifetime, place},
    narrow::is_narrow,
    program::{Body, LISTS, Own, Place, Program, Root, Step, Work},
};
use crate::{Engine, Prepared, Tensor, bodies};

/// A program, and where the graph's results are after a run.
pub(super) struct PlannedProgram<E: Engine> {
    pub(super) program: Program<E>,
    pub(super) outputs: Vec<Place>,
    pub(super) states: Vec<Place>,
}

/// The bodies that a program on planned memory calls.
pub(super) type Bodies<'a, E> = bodies::Bodies<'a, Body<E>>;

impl<E: Engine> Bodies<'_, E> {
    /// Names of the operations in them that the engine runs, once for each occurrence.
    pub(super) fn engine_runs(&self) -> impl Iterator<Item = String> {
        self.iter()
            .flat_map(|body| body.program.engine_runs().collect::<Vec<_>>())
    }

    /// The bytes of their planned memory, including their inputs.
    pub(super) fn planned_bytes(&self) -> u64 {
        let inputs = |body: &Body<E>| body.inputs.iter().map(Data::len_bytes).sum::<u64>();
        self.iter()
            .map(|body| body.program.planned_bytes() + inputs(&body))
            .sum()
    }
}

/// Plans the memory of a prepared graph.
pub(super) fn build<E: Engine>(
    prepared: &mut Prepared<E>,
    kernels: &Arc<dyn HostKernels<E::Tensor>>,
    bodies: &mut Bodies<'_, E>,
) -> Result<PlannedProgram<E>, BackendError> {
    let mut roots = HashMap::new();
    let mut weights = Vec::new();
    for (value, tensor) in prepared.take_weights() {
        roots.insert(value, Root::Weight(weights.len()));
        weights.push(tensor.contiguous());
    }
    let graph = prepared.graph();
    let inputs = graph.inputs().iter().map(|p| p.value);
    roots.extend(inputs.enumerate().map(|(i, v)| (v, Root::Input(i))));
    let states = graph.states().iter().map(|s| s.input);
    roots.extend(states.enumerate().map(|(i, v)| (v, Root::State(i))));
    let aliases = Aliases::of(prepared, &**kernels);
    let mut planner = Planner {
        prepared,
        weights: &weights,
        kernels,
        last_use: aliases.last_uses(prepared),
        aliases,
        roots,
        floats: Vec::new(),
        bytes: Vec::new(),
    };
    let mut steps = Vec::new();
    for (id, node) in prepared.nodes() {
        if planner.aliases.is_view(node) {
            continue;
        }
        steps.push(planner.step(steps.len(), id, node, bodies)?);
    }
    let place_of = |v: ValueId| planner.place(v);
    let mut outputs: Vec<Place> = graph.outputs().iter().map(|p| place_of(p.value)).collect();
    let mut states: Vec<Place> = graph.states().iter().map(|s| place_of(s.output)).collect();
    let (float_offsets, floats) = place(&planner.floats);
    let (byte_offsets, bytes) = place(&planner.bytes);
    let offset = |ty: &TensorType, buffer: usize| match ty.dtype {
        DType::F32 => float_offsets[buffer],
        _ => byte_offsets[buffer],
    };
    let settle = |place: &mut Place| {
        if let Root::Planned(buffer) = &mut place.root {
            *buffer = offset(&place.ty, *buffer);
        }
    };
    for step in &mut steps {
        step.operands.iter_mut().for_each(settle);
        for (ty, buffer) in &mut step.results {
            *buffer = offset(ty, *buffer);
        }
        let own = &mut step.own;
        let floats = own.results.iter_mut().chain(&mut own.workspace);
        for buffer in floats.chain(own.widened.iter_mut().flatten()) {
            *buffer = float_offsets[*buffer];
        }
    }
    outputs.iter_mut().chain(&mut states).for_each(settle);
    let program = Program {
        engine: prepared.engine().clone(),
        kernels: kernels.clone(),
        steps,
        weights,
        floats: vec![0.0; floats],
        bytes: vec![0; bytes],
        lists: Bump::with_capacity(LISTS),
    };
    Ok(PlannedProgram {
        program,
        outputs,
        states,
    })
}

struct Planner<'a, E: Engine> {
    prepared: &'a Prepared<E>,
    weights: &'a [E::Tensor],
    kernels: &'a Arc<dyn HostKernels<E::Tensor>>,
    aliases: Aliases,
    last_use: Vec<usize>,
    /// The storage of each value that owns memory.
    roots: HashMap<ValueId, Root>,
    floats: Vec<Lifetime>,
    bytes: Vec<Lifetime>,
}

impl<E: Engine> Planner<'_, E> {
    fn place(&self, v: ValueId) -> Place {
        Place {
            root: self.roots[&self.aliases.root[v.index()]],
            ty: self.prepared.graph().ty(v).clone(),
            strides: self.aliases.strides.get(&v).copied(),
        }
    }

    fn body(
        &self,
        graph: &Arc<Graph>,
        bodies: &mut Bodies<'_, E>,
    ) -> Result<Arc<Mutex<Body<E>>>, BackendError> {
        bodies.get(self.prepared.engine(), graph, |prepared, bodies| {
            let built = build(prepared, self.kernels, bodies)?;
            let flat = prepared.graph();
            let inputs = flat.inputs().iter();
            Ok(Body {
                program: built.program,
                inputs: inputs.map(|p| Data::zeros(flat.ty(p.value))).collect(),
                outputs: built.outputs,
            })
        })
    }

    /// For each operand its bytes, if it is a weight.
    fn bytes_of_weights(&self, node: &Node) -> Result<Vec<Option<Box<[u8]>>>, BackendError> {
        let engine = self.prepared.engine();
        let bytes = |&v: &ValueId| {
            let place = self.place(v);
            let Root::Weight(i) = place.root else {
                return Ok(None);
            };
            let data = engine.download(self.weights[i].clone(), place.ty.dtype);
            let data = data.map_err(|message| BackendError::Engine {
                backend: engine.name().to_owned(),
                message,
            })?;
            Ok(Some(data.bytes().into()))
        };
        node.inputs.iter().map(bytes).collect()
    }

    fn step(
        &mut self,
        at: usize,
        id: NodeId,
        node: &Node,
        bodies: &mut Bodies<'_, E>,
    ) -> Result<Step<E>, BackendError> {
        let work = if let Some(body) = node.op.get::<Call>().and(node.op.body()) {
            Work::Call(self.body(body, bodies)?)
        } else if let Some(kernel) = self.kernels.kernel(&self.prepared.context(id).widened()) {
            Work::Own(kernel)
        } else if let Some(kernel) = integers::lower(&self.prepared.context(id)) {
            Work::Integers(kernel, self.bytes_of_weights(node)?)
        } else {
            Work::Engine(self.prepared.generic(id)?)
        };
        let mut operands: Vec<Place> = node.inputs.iter().map(|&v| self.place(v)).collect();
        let mut own = Own::default();
        if let Work::Own(kernel) = &work {
            if kernel.takes_views {
                for place in &mut operands {
                    place.strides.get_or_insert_with(|| dense(&place.ty));
                }
            }
            own = self.own(at, id, node, kernel);
        }
        let mut results = Vec::with_capacity(node.outputs.len());
        for (i, &out) in node.outputs.iter().enumerate() {
            let ty = self.prepared.graph().ty(out).clone();
            let last = self.last_use[out.index()].max(at);
            let buffer = match own.results.get(i).filter(|_| ty.dtype == DType::F32) {
                Some(&buffer) => {
                    self.floats[buffer].last = last;
                    buffer
                }
                None if ty.dtype == DType::F32 => self.buffer(ty.dtype, ty.numel(), at, last),
                None => self.buffer(ty.dtype, ty.bytes(), at, last),
            };
            self.roots.insert(out, Root::Planned(buffer));
            results.push((ty, buffer));
        }
        Ok(Step {
            label: self.prepared.label(id),
            work,
            operands,
            results,
            own,
        })
    }

    /// Plans the memory that a kernel on slices writes: the results themselves if they are f32, otherwise
    /// temporary memory that lives as long as the step.
    fn own(&mut self, at: usize, id: NodeId, node: &Node, kernel: &HostKernel) -> Own {
        let packed = self.prepared.context(id).packed;
        let graph = self.prepared.graph();
        let is_widened = |i: usize| is_narrow(graph.ty(node.inputs[i]).dtype) && !packed[i];
        let in_place = self.in_place(at, node, kernel, is_widened);
        let dies = in_place.filter(|&i| !is_widened(i));
        let dying = dies.map(|i| self.roots[&self.aliases.root[node.inputs[i].index()]]);
        let mut results = Vec::with_capacity(node.outputs.len());
        for (i, &out) in node.outputs.iter().enumerate() {
            results.push(match dying.filter(|_| i == 0) {
                Some(Root::Planned(buffer)) => {
                    self.floats[buffer].last = at;
                    buffer
                }
                _ => self.buffer(DType::F32, graph.ty(out).numel(), at, at),
            });
        }
        let mut widened = Vec::with_capacity(node.inputs.len());
        for (i, &v) in node.inputs.iter().enumerate() {
            widened.push(match is_widened(i) {
                true if in_place == Some(i) => Some(results[0]),
                true => Some(self.buffer(DType::F32, graph.ty(v).numel(), at, at)),
                false => None,
            });
        }
        let workspace = match kernel.workspace {
            0 => None,
            len => Some(self.buffer(DType::F32, len, at, at)),
        };
        Own {
            in_place,
            widened,
            results,
            workspace,
        }
    }

    /// Adds a buffer; returns its index.
    fn buffer(&mut self, dtype: DType, len: usize, first: usize, last: usize) -> usize {
        let buffers = match dtype {
            DType::F32 => &mut self.floats,
            _ => &mut self.bytes,
        };
        buffers.push(Lifetime { len, first, last });
        buffers.len() - 1
    }

    /// Returns the operand that the first result may overwrite: one of f16 or bf16, which is widened to
    /// temporary memory, or planned memory whose last use is this operand.
    fn in_place(
        &self,
        at: usize,
        node: &Node,
        kernel: &HostKernel,
        is_widened: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let root = |v: ValueId| self.aliases.root[v.index()];
        kernel.in_place.iter().copied().find(|&i| {
            let v = node.inputs[i];
            let alone = node.inputs.iter().filter(|&&o| root(o) == root(v)).count() == 1;
            let dies = alone
                && self.last_use[root(v).index()] == at
                && matches!(self.roots[&root(v)], Root::Planned(_));
            (is_widened(i) || dies) && !self.aliases.strides.contains_key(&v)
        })
    }
}

/// Returns the strides of a type's physical dimensions.
fn dense(ty: &TensorType) -> [usize; 4] {
    let strides = ty.strides();
    let mut dense = [0; 4];
    for (stride, d) in dense.iter_mut().zip(ty.order.dims()) {
        *stride = strides[d];
    }
    dense
}

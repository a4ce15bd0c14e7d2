//! From a prepared graph to a program on planned memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use bumpalo::Bump;
use burn_flex::Flex;
use mirage_backend::{
    BackendError,
    burn::{Engine, Prepared, Tensor},
};
use mirage_ir::{
    DType, Graph, Node, NodeId, Params, TensorType, ValueId,
    ops::{Attention, Call, Permute},
};

use super::{
    data::Data,
    memory::{Lifetime, place},
    program::{Body, LISTS, Place, Program, Root, Step, Work, lock},
};
use crate::kernels::{attention, computation::Computation, flex::in_sequence, planned};

/// A program, and where the graph's results stand after a run.
pub(super) struct Built {
    pub(super) program: Program,
    pub(super) outputs: Vec<Place>,
    pub(super) states: Vec<Place>,
}

/// The bodies of a program, one for each that it calls however often it does.
pub(super) struct Bodies<'a> {
    params: &'a Params,
    built: Vec<(Arc<Graph>, Arc<Mutex<Body>>)>,
    /// The bytes of all their weights.
    pub(super) weight_bytes: u64,
}

impl<'a> Bodies<'a> {
    /// None so far, of a program with these parameters.
    pub(super) fn new(params: &'a Params) -> Self {
        Bodies {
            params,
            built: Vec::new(),
            weight_bytes: 0,
        }
    }

    /// Names of the operations that the engine runs in them, one an occurrence.
    pub(super) fn engine_runs(&self) -> impl Iterator<Item = String> {
        let runs = |body: &Mutex<Body>| lock(body).program.engine_runs().collect::<Vec<_>>();
        self.built.iter().flat_map(move |(_, body)| runs(body))
    }

    /// The bytes of memory planned for them, with that of their inputs.
    pub(super) fn planned_bytes(&self) -> u64 {
        let of = |body: &Mutex<Body>| {
            let body = lock(body);
            body.program.planned_bytes() + body.inputs.iter().map(Data::len_bytes).sum::<u64>()
        };
        self.built.iter().map(|(_, body)| of(body)).sum()
    }

    fn body(
        &mut self,
        engine: &Engine<Flex>,
        graph: &Arc<Graph>,
    ) -> Result<Arc<Mutex<Body>>, BackendError> {
        if let Some((_, body)) = self.built.iter().find(|(g, _)| Arc::ptr_eq(g, graph)) {
            return Ok(body.clone());
        }
        let mut prepared = Prepared::new(engine, graph, self.params)?;
        let built = build(&mut prepared, self)?;
        let flat = prepared.graph();
        let inputs = flat.inputs().iter().map(|p| Data::zeros(flat.ty(p.value)));
        let body = Arc::new(Mutex::new(Body {
            program: built.program,
            inputs: inputs.collect(),
            outputs: built.outputs,
        }));
        self.weight_bytes += prepared.weight_bytes();
        self.built.push((graph.clone(), body.clone()));
        Ok(body)
    }
}

/// Plans the memory of a prepared graph.
pub(super) fn build(
    prepared: &mut Prepared<Flex>,
    bodies: &mut Bodies<'_>,
) -> Result<Built, BackendError> {
    let mut roots = HashMap::new();
    let mut weights = Vec::new();
    for (value, tensor) in prepared.take_weights() {
        roots.insert(value, Root::Weight(weights.len()));
        weights.push(match tensor {
            Tensor::Float(t) => Tensor::Float(in_sequence(t)),
            Tensor::Int(t) => Tensor::Int(in_sequence(t)),
            Tensor::Bool(t) => Tensor::Bool(in_sequence(t)),
        });
    }
    let graph = prepared.graph();
    let inputs = graph.inputs().iter().map(|p| p.value);
    roots.extend(inputs.enumerate().map(|(i, v)| (v, Root::Input(i))));
    let states = graph.states().iter().map(|s| s.input);
    roots.extend(states.enumerate().map(|(i, v)| (v, Root::State(i))));
    let aliases = Aliases::of(prepared);
    let mut planner = Planner {
        prepared,
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
        step.workspace = float_offsets.get(step.workspace).copied().unwrap_or(0);
    }
    outputs.iter_mut().chain(&mut states).for_each(settle);
    let program = Program {
        steps,
        weights,
        floats: vec![0.0; floats],
        bytes: vec![0; bytes],
        storage: prepared.storage(),
        lists: Bump::with_capacity(LISTS),
    };
    Ok(Built {
        program,
        outputs,
        states,
    })
}

/// Values that are views of others.
struct Aliases {
    /// For each value the one whose memory it reads; itself, if it has memory of its own.
    root: Vec<ValueId>,
    /// For each value its strides, if they are not those of its type.
    strides: HashMap<ValueId, [usize; 4]>,
}

impl Aliases {
    fn of(prepared: &Prepared<Flex>) -> Self {
        let graph = prepared.graph();
        let wanted = wanted_as_views(prepared);
        let mut aliases = Aliases {
            root: (0..graph.values().len()).map(ValueId::from_index).collect(),
            strides: HashMap::new(),
        };
        for (_, node) in prepared.nodes() {
            let [x, ..] = node.inputs[..] else { continue };
            let out = node.output();
            let same_bytes = node
                .op
                .is_view(&graph.input_types(node), &graph.output_types(node));
            if same_bytes && !aliases.strides.contains_key(&x) {
                aliases.root[out.index()] = aliases.root[x.index()];
            } else if let Some(permute) = node.op.get::<Permute>().filter(|_| wanted[out.index()]) {
                let strides = aliases.permuted(graph, x, out, permute);
                aliases.strides.insert(out, strides);
                aliases.root[out.index()] = aliases.root[x.index()];
            }
        }
        aliases
    }

    /// The strides of a permutation's result in its physical dimensions.
    fn permuted(&self, graph: &Graph, x: ValueId, out: ValueId, permute: &Permute) -> [usize; 4] {
        let (from, to) = (graph.ty(x), graph.ty(out));
        let physical = self.strides.get(&x);
        let place = from.order.inverse();
        let own = from.strides();
        let stride = |dim: usize| physical.map_or(own[dim], |s| s[place[dim]]);
        let mut strides = [0; 4];
        for (stride_of, d) in strides.iter_mut().zip(to.order.dims()) {
            *stride_of = stride(permute.axes[d]);
        }
        strides
    }

    /// Whether a node makes nothing but a view.
    fn is_view(&self, node: &Node) -> bool {
        let out = node.output();
        self.root[out.index()] != out
    }

    /// For each value with memory of its own the last step that reads it or a view of it.
    fn last_uses(&self, prepared: &Prepared<Flex>) -> Vec<usize> {
        let graph = prepared.graph();
        let mut last = vec![0; graph.values().len()];
        let mut step = 0;
        for (_, node) in prepared.nodes().filter(|(_, n)| !self.is_view(n)) {
            for v in &node.inputs {
                last[self.root[v.index()].index()] = step;
            }
            step += 1;
        }
        for v in graph.results() {
            last[self.root[v.index()].index()] = step;
        }
        last
    }
}

/// For each value whether all that take it take f32 with any strides.
fn wanted_as_views(prepared: &Prepared<Flex>) -> Vec<bool> {
    let graph = prepared.graph();
    let mut wanted = vec![false; graph.values().len()];
    let nodes: Vec<(NodeId, &Node)> = prepared.nodes().collect();
    for (_, node) in nodes.into_iter().rev() {
        let Some(_) = node.op.get::<Permute>() else {
            continue;
        };
        let out = node.output();
        let takes_any = |user: &NodeId| {
            let user = graph.node(*user);
            let types = graph.input_types(user);
            let attends = |op| attention::takes(op, &types);
            user.op.get::<Attention>().is_some_and(attends)
                || user.op.is::<Permute>() && wanted[user.output().index()]
        };
        let ty = graph.ty(out);
        wanted[out.index()] = ty.dtype == DType::F32
            && ty.rank() == 4
            && !prepared.leaves(out)
            && prepared.users(out).iter().all(takes_any);
    }
    wanted
}

struct Planner<'a> {
    prepared: &'a Prepared<Flex>,
    aliases: Aliases,
    last_use: Vec<usize>,
    /// By value with memory of its own; planned memory by the number of its buffer.
    roots: HashMap<ValueId, Root>,
    floats: Vec<Lifetime>,
    bytes: Vec<Lifetime>,
}

impl Planner<'_> {
    fn place(&self, v: ValueId) -> Place {
        Place {
            root: self.roots[&self.aliases.root[v.index()]],
            ty: self.prepared.graph().ty(v).clone(),
            strides: self.aliases.strides.get(&v).copied(),
        }
    }

    fn step(
        &mut self,
        at: usize,
        id: NodeId,
        node: &Node,
        bodies: &mut Bodies<'_>,
    ) -> Result<Step, BackendError> {
        let work = if let Some(body) = node.op.get::<Call>().and(node.op.body()) {
            Work::Call(bodies.body(self.prepared.engine(), body)?)
        } else if let Some(computation) = planned(&self.prepared.context(id)) {
            Work::Own(computation)
        } else {
            // Of halves, in f32 between a widening and a narrowing.
            let cx = self.prepared.context(id);
            Work::Engine(match self.prepared.engine().kernels.lower(&cx) {
                Some(kernel) => kernel,
                None => self.prepared.generic(id)?,
            })
        };
        let mut operands: Vec<Place> = node.inputs.iter().map(|&v| self.place(v)).collect();
        let (mut in_place, mut workspace) = (None, usize::MAX);
        if let Work::Own(computation) = &work {
            if computation.takes_views {
                for place in &mut operands {
                    place.strides.get_or_insert_with(|| dense(&place.ty));
                }
            }
            in_place = self.in_place(at, node, computation);
            if computation.workspace > 0 {
                workspace = self.buffer(DType::F32, computation.workspace, at, at);
            }
        }
        let mut results = Vec::with_capacity(node.outputs.len());
        for (i, &out) in node.outputs.iter().enumerate() {
            let ty = self.prepared.graph().ty(out).clone();
            let last = self.last_use[out.index()].max(at);
            let buffer = match (in_place.filter(|_| i == 0)).map(|i| operands[i].root) {
                Some(Root::Planned(buffer)) => {
                    self.floats[buffer].last = last;
                    buffer
                }
                _ if ty.dtype == DType::F32 => self.buffer(ty.dtype, ty.numel(), at, last),
                _ => self.buffer(ty.dtype, ty.bytes(), at, last),
            };
            self.roots.insert(out, Root::Planned(buffer));
            results.push((ty, buffer));
        }
        Ok(Step {
            node: self.prepared.origin(id),
            op: node.op.name().into_owned(),
            path: node.path.clone(),
            work,
            operands,
            in_place,
            results,
            workspace,
        })
    }

    /// A new buffer's number among those of its memory.
    fn buffer(&mut self, dtype: DType, len: usize, first: usize, last: usize) -> usize {
        let buffers = match dtype {
            DType::F32 => &mut self.floats,
            _ => &mut self.bytes,
        };
        buffers.push(Lifetime { len, first, last });
        buffers.len() - 1
    }

    /// The operand that the first result may be written over: planned memory that is read for the
    /// last time, by this operand alone.
    fn in_place(&self, at: usize, node: &Node, computation: &Computation) -> Option<usize> {
        let root = |v: ValueId| self.aliases.root[v.index()];
        computation.in_place.iter().copied().find(|&i| {
            let v = node.inputs[i];
            let alone = node.inputs.iter().filter(|&&o| root(o) == root(v)).count() == 1;
            alone
                && self.last_use[root(v).index()] == at
                && matches!(self.roots[&root(v)], Root::Planned(_))
                && !self.aliases.strides.contains_key(&v)
        })
    }
}

/// The strides of a type's physical dimensions.
fn dense(ty: &TensorType) -> [usize; 4] {
    let strides = ty.strides();
    let mut dense = [0; 4];
    for (stride, d) in dense.iter_mut().zip(ty.order.dims()) {
        *stride = strides[d];
    }
    dense
}

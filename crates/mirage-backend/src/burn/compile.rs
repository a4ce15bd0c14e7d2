//! From a graph to a program and the weights that it reads.

use burn_backend::Backend;
use mirage_ir::{
    Graph, Node, NodeId, Params, Source, TensorType, ValueId,
    analysis::{Liveness, Prologue, Uses},
};

use super::{
    Align, Engine, Instruction, NodeContext, Storage, Tensor,
    catch::catch,
    flatten::{Flat, flatten},
    lower::lower,
    program::{Operand, run},
};
use crate::BackendError;

/// A program, its slots with the weights in place, and where its border is.
pub(super) struct Compiled<B: Backend> {
    pub(super) graph: Graph,
    pub(super) instructions: Vec<Instruction<B>>,
    /// The first `weights` hold the weights, the rest is empty between executions.
    pub(super) slots: Vec<Option<Tensor<B>>>,
    pub(super) weights: usize,
    pub(super) weight_bytes: u64,
    /// For each value of `graph` its slot; meaningless for values of the prologue that are not kept.
    pub(super) slot_of: Vec<usize>,
    pub(super) storage: Storage,
}

/// Compiles a verified graph: see the module's description.
pub(super) fn compile<B: Backend>(
    engine: &Engine<B>,
    graph: &Graph,
    params: &Params,
) -> Result<Compiled<B>, BackendError> {
    params.check(graph)?;
    let storage = Storage::of::<B>(&engine.device);
    let flat = flatten(graph, engine, storage)?;
    check_dtypes(engine, &flat, storage)?;
    let facts = Facts {
        prologue: Prologue::of(&flat.graph),
        liveness: Liveness::of(&flat.graph),
        uses: Uses::of(&flat.graph),
        types: flat.graph.values().iter().map(|v| v.ty.clone()).collect(),
        packed: vec![false; flat.graph.values().len()],
    };
    let compiler = Compiler {
        engine,
        flat,
        facts,
        storage,
    };
    compiler.finish(params)
}

/// Every value's type must be one that the device can hold.
fn check_dtypes<B: Backend>(
    engine: &Engine<B>,
    flat: &Flat,
    storage: Storage,
) -> Result<(), BackendError> {
    let graph = &flat.graph;
    if let Some(value) = graph.values().iter().find(|v| !storage.holds(v.ty.dtype)) {
        let reason = format!(
            "the device has no {}; a precision pass can change it",
            value.ty.dtype
        );
        let name = match value.source {
            Source::Node { node, .. } => {
                return Err(unsupported(engine, flat, node, reason));
            }
            Source::Input(i) => format!("input `{}`", graph.inputs()[i].name),
            Source::Param(i) => format!("parameter `{}`", graph.params()[i].name),
            Source::State(i) => format!("state `{}`", graph.states()[i].name),
        };
        return Err(BackendError::Argument(format!(
            "backend `{}`: {name}: {reason}",
            engine.name
        )));
    }
    Ok(())
}

fn unsupported<B: Backend>(
    engine: &Engine<B>,
    flat: &Flat,
    node: NodeId,
    reason: String,
) -> BackendError {
    let n = flat.graph.node(node);
    BackendError::Unsupported {
        backend: engine.name.to_owned(),
        node: flat.origin[node.index()].index(),
        op: n.op.name().into_owned(),
        path: n.path.to_string(),
        reason,
    }
}

struct Facts {
    prologue: Prologue,
    liveness: Liveness,
    uses: Uses,
    /// The types as values are held; a weight may be held in an order of its consumers' choice.
    types: Vec<TensorType>,
    /// Whether a value is a weight in a form of the backend's own.
    packed: Vec<bool>,
}

struct Compiler<'a, B: Backend> {
    engine: &'a Engine<B>,
    flat: Flat,
    facts: Facts,
    storage: Storage,
}

impl<B: Backend> Compiler<'_, B> {
    fn finish(mut self, params: &Params) -> Result<Compiled<B>, BackendError> {
        let weights = self.prologue(params)?;
        let mut plan = SlotPlan::new(self.flat.graph.values().len());
        let mut weight_bytes = 0;
        let mut slots = Vec::new();
        for (value, tensor) in weights {
            plan.define(value);
            let elements: usize = tensor.shape().iter().product();
            weight_bytes += (elements * self.flat.graph.ty(value).dtype.size()) as u64;
            slots.push(Some(tensor));
        }
        let count = slots.len();
        let instructions = self.main(&mut plan)?;
        slots.resize(plan.count, None);
        Ok(Compiled {
            graph: self.flat.graph,
            instructions,
            slots,
            weights: count,
            weight_bytes,
            slot_of: plan.slot_of,
            storage: self.storage,
        })
    }

    /// Computes what depends on parameters alone. Gives the values that an execution reads; a
    /// parameter is uploaded when it is first needed and gone after its last use.
    fn prologue(&mut self, params: &Params) -> Result<Vec<(ValueId, Tensor<B>)>, BackendError> {
        let values = self.flat.graph.values().len();
        let mut last_use = vec![None; values];
        for &id in self.facts.prologue.nodes() {
            for v in &self.flat.graph.node(id).inputs {
                last_use[v.index()] = Some(id);
            }
        }
        let kept = self.facts.prologue.kept().to_vec();
        let mut is_kept = vec![false; values];
        kept.iter().for_each(|v| is_kept[v.index()] = true);
        let mut slots: Vec<Option<Tensor<B>>> = vec![None; values];
        for &id in self.facts.prologue.nodes() {
            let node = self.flat.graph.node(id);
            for &v in &node.inputs {
                self.upload_param(v, params, &mut slots)?;
            }
            let dies = |v: &ValueId| !is_kept[v.index()] && last_use[v.index()] == Some(id);
            let frees: Vec<ValueId> = node.inputs.iter().copied().filter(dies).collect();
            let instruction = self.instruction(id, &|v| v.index(), &frees)?;
            let sync = || Ok(());
            run(&[instruction], &mut slots, None, sync).map_err(|e| self.failed(e))?;
        }
        let mut weights = Vec::with_capacity(kept.len());
        for v in kept {
            self.upload_param(v, params, &mut slots)?;
            let Some(tensor) = slots[v.index()].take() else {
                continue;
            };
            weights.push((v, self.hold_as_wanted(v, tensor)?));
        }
        Ok(weights)
    }

    /// Puts a parameter on the device, in the order of its type, unless it is there.
    fn upload_param(
        &self,
        value: ValueId,
        params: &Params,
        slots: &mut [Option<Tensor<B>>],
    ) -> Result<(), BackendError> {
        let Source::Param(i) = self.flat.graph.value(value).source else {
            return Ok(());
        };
        if slots[value.index()].is_some() {
            return Ok(());
        }
        let name = &self.flat.graph.params()[i].name;
        let Some(data) = params.get(name) else {
            return Err(BackendError::Argument(format!(
                "parameter `{name}` has no value"
            )));
        };
        let ty = self.flat.graph.ty(value);
        let tensor = catch(|| {
            let tensor = Tensor::from_data(data, &self.storage, &self.engine.device);
            Align::from_logical(ty).lay_out(tensor)
        });
        let failed = |e| {
            self.failed(format!(
                "parameter `{name}` cannot be put on the device: {e}"
            ))
        };
        slots[value.index()] = Some(tensor.map_err(failed)?);
        Ok(())
    }

    /// Converts a weight to the form or the order that all its consumers want, if they agree on one.
    fn hold_as_wanted(&mut self, v: ValueId, tensor: Tensor<B>) -> Result<Tensor<B>, BackendError> {
        if self.facts.liveness.leaves(v) {
            return Ok(tensor);
        }
        let (engine, graph) = (self.engine, &self.flat.graph);
        let ty = graph.ty(v);
        let packing = self.wanted(v, |node, i| engine.kernels.packing(graph, node, i));
        if let Some(packing) = packing {
            let packed = catch(|| engine.kernels.pack(packing, ty, tensor));
            self.facts.packed[v.index()] = true;
            return packed.map_err(|e| self.failed(e));
        }
        let order = self.wanted(v, |node, i| engine.kernels.weight_order(graph, node, i));
        let Some(order) = order.filter(|o| o.rank() == ty.rank()) else {
            return Ok(tensor);
        };
        let align = Align::new(ty, &order);
        let tensor = catch(|| align.lay_out(tensor)).map_err(|e| self.failed(e))?;
        self.facts.types[v.index()].order = order;
        Ok(tensor)
    }

    /// What every consumer of a weight in an execution wants of it, if they want the same.
    fn wanted<T: PartialEq>(
        &self,
        v: ValueId,
        want: impl Fn(&Node, usize) -> Option<T>,
    ) -> Option<T> {
        let mut wanted = None;
        for &user in self.facts.uses.users(v) {
            let node = self.flat.graph.node(user);
            if self.facts.prologue.is_fixed(node.output()) {
                continue;
            }
            for (operand, _) in node.inputs.iter().enumerate().filter(|&(_, &i)| i == v) {
                let one = want(node, operand)?;
                if wanted.as_ref().is_some_and(|other| *other != one) {
                    return None;
                }
                wanted = Some(one);
            }
        }
        wanted
    }

    fn main(&self, plan: &mut SlotPlan) -> Result<Vec<Instruction<B>>, BackendError> {
        let graph = &self.flat.graph;
        let entering = graph
            .inputs()
            .iter()
            .map(|p| p.value)
            .chain(graph.states().iter().map(|s| s.input));
        entering.for_each(|v| plan.define(v));
        let mut instructions = Vec::new();
        for (id, node) in graph.iter() {
            if self.facts.prologue.is_fixed(node.output()) {
                continue;
            }
            node.outputs.iter().for_each(|&v| plan.define(v));
            let frees = self.dead_after(id, node);
            let slot_of = &plan.slot_of;
            instructions.push(self.instruction(id, &|v| slot_of[v.index()], &frees)?);
            frees.iter().for_each(|&v| plan.release(v));
        }
        Ok(instructions)
    }

    /// Values that nobody reads after this node.
    fn dead_after(&self, id: NodeId, node: &Node) -> Vec<ValueId> {
        let Facts {
            prologue,
            liveness,
            uses,
            ..
        } = &self.facts;
        let mut dead: Vec<ValueId> = Vec::new();
        for &v in &node.inputs {
            let last = !prologue.is_fixed(v) && liveness.last_use(v) == Some(id);
            if last && !dead.contains(&v) {
                dead.push(v);
            }
        }
        let unused = |v: &&ValueId| uses.users(**v).is_empty() && !uses.leaves(**v);
        dead.extend(node.outputs.iter().filter(unused));
        dead
    }

    fn instruction(
        &self,
        id: NodeId,
        slot_of: &dyn Fn(ValueId) -> usize,
        frees: &[ValueId],
    ) -> Result<Instruction<B>, BackendError> {
        let graph = &self.flat.graph;
        let node = graph.node(id);
        let types = |ids: &[ValueId]| -> Vec<TensorType> {
            ids.iter()
                .map(|v| self.facts.types[v.index()].clone())
                .collect()
        };
        let users = |v: &ValueId| self.facts.uses.users(*v);
        let cx = NodeContext {
            graph,
            node,
            inputs: types(&node.inputs),
            packed: node
                .inputs
                .iter()
                .map(|v| self.facts.packed[v.index()])
                .collect(),
            outputs: types(&node.outputs),
            engine: self.engine,
            storage: self.storage,
            feeds_views: node
                .outputs
                .iter()
                .flat_map(users)
                .all(|&user| self.engine.kernels.takes_views(graph, graph.node(user))),
            leaves: node.outputs.iter().any(|&v| self.facts.uses.leaves(v)),
        };
        let kernel = match self.engine.kernels.lower(&cx) {
            Some(kernel) => kernel,
            None => catch(|| lower(&cx))
                .and_then(|lowered| lowered)
                .map_err(|e| unsupported(self.engine, &self.flat, id, e))?,
        };
        let operand = |&v: &ValueId| Operand {
            slot: slot_of(v),
            moves: frees.contains(&v) && node.inputs.iter().filter(|&&i| i == v).count() == 1,
        };
        Ok(Instruction {
            node: self.flat.origin[id.index()],
            op: node.op.name().into_owned(),
            path: node.path.clone(),
            inputs: node.inputs.iter().map(operand).collect(),
            outputs: node.outputs.iter().map(|&v| slot_of(v)).collect(),
            frees: frees.iter().map(|&v| slot_of(v)).collect(),
            kernel,
        })
    }

    fn failed(&self, message: String) -> BackendError {
        BackendError::Engine {
            backend: self.engine.name.to_owned(),
            message,
        }
    }
}

/// Slots by lifetime: a slot whose value is dead holds the next one.
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

//! Prepares a graph for compilation: flattens it and computes its weights.

use mirage_backend::BackendError;
use mirage_ir::{
    Graph, Node, NodeId, Params, Source, TensorType, ValueId,
    analysis::{Liveness, Prologue, Uses},
    ops::Call,
};

use crate::{
    Align, Engine, Kernel, NodeContext, Tensor,
    bodies::Bodies,
    catch,
    flatten::{Flat, flatten},
    run::Label,
    slots::{Body, Instruction, Operand, run},
};

/// A verified graph for an engine: regions without a kernel are inlined, dead nodes are removed, and what
/// depends on parameters alone is computed.
pub struct Prepared<E: Engine> {
    engine: E,
    flat: Flat,
    prologue: Prologue,
    liveness: Liveness,
    uses: Uses,
    /// The types of stored values; a weight may have an order that its users prefer.
    types: Vec<TensorType>,
    /// Whether a value is a weight in the engine's packed form.
    packed: Vec<bool>,
    weights: Vec<(ValueId, E::Tensor)>,
    weight_bytes: u64,
}

impl<E: Engine> Prepared<E> {
    /// Flattens the graph and computes its prologue. The parameters are not kept.
    pub(crate) fn new(engine: &E, graph: &Graph, params: &Params) -> Result<Self, BackendError> {
        params.check(graph)?;
        let flat = flatten(graph, engine)?;
        let values = flat.graph.values();
        let mut prepared = Prepared {
            engine: engine.clone(),
            prologue: Prologue::of(&flat.graph),
            liveness: Liveness::of(&flat.graph),
            uses: Uses::of(&flat.graph),
            types: values.iter().map(|v| v.ty.clone()).collect(),
            packed: vec![false; values.len()],
            flat,
            weights: Vec::new(),
            weight_bytes: 0,
        };
        prepared.check_dtypes()?;
        prepared.weights = prepared.run_prologue(params)?;
        prepared.weight_bytes = prepared
            .weights
            .iter()
            .map(|(_, tensor)| tensor.bytes())
            .sum();
        Ok(prepared)
    }

    /// Returns the flat graph, which has the inputs, outputs and states of the given graph.
    pub fn graph(&self) -> &Graph {
        &self.flat.graph
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// Returns the node of the given graph that a node of the flat graph came from.
    pub fn origin(&self, node: NodeId) -> NodeId {
        self.flat.origin[node.index()]
    }

    /// Takes the weights: the values of the prologue that an execution reads.
    pub fn take_weights(&mut self) -> Vec<(ValueId, E::Tensor)> {
        std::mem::take(&mut self.weights)
    }

    /// Returns the bytes of the weights in their stored form.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Returns the nodes of an execution in order.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        let fixed = |node: &Node| self.prologue.is_fixed(node.output());
        self.graph().iter().filter(move |(_, node)| !fixed(node))
    }

    /// Whether a value belongs to the prologue.
    pub fn is_fixed(&self, value: ValueId) -> bool {
        self.prologue.is_fixed(value)
    }

    /// Whether a value is a result of the graph.
    pub fn leaves(&self, value: ValueId) -> bool {
        self.uses.leaves(value)
    }

    /// Returns the nodes that use a value.
    pub fn users(&self, value: ValueId) -> &[NodeId] {
        self.uses.users(value)
    }

    /// Returns the values whose last use is this node of an execution.
    pub fn dead_after(&self, id: NodeId, node: &Node) -> Vec<ValueId> {
        let mut dead: Vec<ValueId> = Vec::new();
        for &v in &node.inputs {
            let last = !self.is_fixed(v) && self.liveness.last_use(v) == Some(id);
            if last && !dead.contains(&v) {
                dead.push(v);
            }
        }
        let unused = |v: &&ValueId| self.users(**v).is_empty() && !self.leaves(**v);
        dead.extend(node.outputs.iter().filter(unused));
        dead
    }

    /// Returns the context for the choice of a node's kernel.
    pub fn context(&self, id: NodeId) -> NodeContext<'_> {
        let graph = self.graph();
        let node = graph.node(id);
        let types = |ids: &[ValueId]| -> Vec<TensorType> {
            ids.iter().map(|v| self.types[v.index()].clone()).collect()
        };
        let takers = node.outputs.iter().flat_map(|&v| self.users(v));
        NodeContext {
            graph,
            node,
            inputs: types(&node.inputs),
            packed: node.inputs.iter().map(|v| self.packed[v.index()]).collect(),
            outputs: types(&node.outputs),
            feeds_views: takers
                .into_iter()
                .all(|&user| self.engine.takes_views(graph, graph.node(user))),
            leaves: node.outputs.iter().any(|&v| self.leaves(v)),
        }
    }

    /// The generic kernel of a node.
    pub fn generic(&self, id: NodeId) -> Result<Kernel<E::Tensor>, BackendError> {
        catch(|| self.engine.generic(&self.context(id)))
            .and_then(|lowered| lowered)
            .map_err(|e| self.unsupported(id, e))
    }

    /// Returns the kernel of a node: the engine's own or the generic one.
    pub(crate) fn instruction(
        &self,
        id: NodeId,
        slot_of: &dyn Fn(ValueId) -> usize,
        frees: &[ValueId],
        bodies: &mut Bodies<'_, Body<E::Tensor>>,
    ) -> Result<Instruction<E::Tensor>, BackendError> {
        let node = self.graph().node(id);
        let kernel = match node.op.get::<Call>().and(node.op.body()) {
            Some(body) => bodies.kernel(&self.engine, body)?,
            None => match self.engine.kernel(&self.context(id)) {
                Some(kernel) => kernel,
                None => self.generic(id)?,
            },
        };
        let operand = |&v: &ValueId| Operand {
            slot: slot_of(v),
            moves: frees.contains(&v) && node.inputs.iter().filter(|&&i| i == v).count() == 1,
        };
        Ok(Instruction {
            label: self.label(id),
            inputs: node.inputs.iter().map(operand).collect(),
            outputs: node.outputs.iter().map(|&v| slot_of(v)).collect(),
            frees: frees.iter().map(|&v| slot_of(v)).collect(),
            kernel,
        })
    }

    /// Returns the name of a node in errors and profiles.
    pub(crate) fn label(&self, id: NodeId) -> Label {
        let node = self.graph().node(id);
        Label {
            node: self.origin(id),
            op: node.op.name().into_owned(),
            path: node.path.clone(),
        }
    }

    /// Checks that the device supports the dtype of every value.
    fn check_dtypes(&self) -> Result<(), BackendError> {
        let graph = self.graph();
        let holds = |ty: &TensorType| self.engine.holds(ty.dtype);
        let Some(value) = graph.values().iter().find(|v| !holds(&v.ty)) else {
            return Ok(());
        };
        let reason = format!(
            "the device does not support {}; use a precision pass to change the dtype",
            value.ty.dtype
        );
        let name = match value.source {
            Source::Node { node, .. } => return Err(self.unsupported(node, reason)),
            Source::Input(i) => format!("input `{}`", graph.inputs()[i].name),
            Source::Param(i) => format!("parameter `{}`", graph.params()[i].name),
            Source::State(i) => format!("state `{}`", graph.states()[i].name),
        };
        Err(BackendError::Argument(format!(
            "backend `{}`: {name}: {reason}",
            self.engine.name()
        )))
    }

    fn unsupported(&self, node: NodeId, reason: String) -> BackendError {
        let n = self.graph().node(node);
        BackendError::Unsupported {
            backend: self.engine.name().to_owned(),
            node: self.origin(node).index(),
            op: n.op.name().into_owned(),
            path: n.path.to_string(),
            reason,
        }
    }

    fn failed(&self, message: String) -> BackendError {
        BackendError::Engine {
            backend: self.engine.name().to_owned(),
            message,
        }
    }
}

/// The prologue.
impl<E: Engine> Prepared<E> {
    /// Computes the prologue and returns the values that an execution reads. A parameter is uploaded when it is
    /// first used and freed after its last use.
    fn run_prologue(&mut self, params: &Params) -> Result<Vec<(ValueId, E::Tensor)>, BackendError> {
        let values = self.graph().values().len();
        let mut last_use = vec![None; values];
        for &id in self.prologue.nodes() {
            for v in &self.graph().node(id).inputs {
                last_use[v.index()] = Some(id);
            }
        }
        let kept = self.prologue.kept().to_vec();
        let mut is_kept = vec![false; values];
        kept.iter().for_each(|v| is_kept[v.index()] = true);
        let mut slots: Vec<Option<E::Tensor>> = vec![None; values];
        let mut bodies = Bodies::new(params);
        for &id in self.prologue.nodes() {
            let node = self.graph().node(id);
            for &v in &node.inputs {
                self.upload_param(v, params, &mut slots)?;
            }
            let dies = |v: &ValueId| !is_kept[v.index()] && last_use[v.index()] == Some(id);
            let frees: Vec<ValueId> = node.inputs.iter().copied().filter(dies).collect();
            let instruction = self.instruction(id, &|v| v.index(), &frees, &mut bodies)?;
            run(&[instruction], &mut slots, None).map_err(|e| self.failed(e))?;
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

    /// Uploads a parameter in the order of its type, unless it is uploaded already.
    fn upload_param(
        &self,
        value: ValueId,
        params: &Params,
        slots: &mut [Option<E::Tensor>],
    ) -> Result<(), BackendError> {
        let Source::Param(i) = self.graph().value(value).source else {
            return Ok(());
        };
        if slots[value.index()].is_some() {
            return Ok(());
        }
        let name = &self.graph().params()[i].name;
        let Some(data) = params.get(name) else {
            return Err(BackendError::Argument(format!(
                "parameter `{name}` has no value"
            )));
        };
        let ty = self.graph().ty(value);
        let tensor = catch(|| {
            let tensor = self.engine.upload(data)?;
            Ok::<_, String>(Align::from_logical(ty).lay_out(tensor))
        });
        let failed = |e| {
            self.failed(format!(
                "parameter `{name}` cannot be copied to the device: {e}"
            ))
        };
        slots[value.index()] = Some(tensor.and_then(|t| t).map_err(failed)?);
        Ok(())
    }

    /// Converts a weight to the form or the order that its users prefer, if they agree.
    fn hold_as_wanted(&mut self, v: ValueId, tensor: E::Tensor) -> Result<E::Tensor, BackendError> {
        if self.liveness.leaves(v) {
            return Ok(tensor);
        }
        let (engine, graph) = (&self.engine, self.graph());
        let ty = graph.ty(v);
        let packing = self.wanted(v, |node, i| engine.packing(graph, node, i));
        if let Some(packing) = packing {
            let packed = catch(|| engine.pack(packing, ty, tensor));
            self.packed[v.index()] = true;
            return packed.map_err(|e| self.failed(e));
        }
        let order = self.wanted(v, |node, i| engine.weight_order(graph, node, i));
        let Some(order) = order.filter(|o| o.rank() == ty.rank()) else {
            return Ok(tensor);
        };
        let align = Align::new(ty, &order);
        let tensor = catch(|| align.lay_out(tensor)).map_err(|e| self.failed(e))?;
        self.types[v.index()].order = order;
        Ok(tensor)
    }

    /// Returns what all users of a weight in an execution prefer, if they agree.
    fn wanted<T: PartialEq>(
        &self,
        v: ValueId,
        want: impl Fn(&Node, usize) -> Option<T>,
    ) -> Option<T> {
        let mut wanted = None;
        for &user in self.uses.users(v) {
            let node = self.graph().node(user);
            if self.prologue.is_fixed(node.output()) {
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
}

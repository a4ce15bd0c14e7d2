//! Shared by `fp16` and `bf16`: which operations run in the low dtype, and the casts between.
//!
//! - *Lowered* operations (convolutions, matrix products, attention) have operands and results in the low
//!   dtype. Most of the time is spent in them, and engines accumulate them in f32.
//! - *Kept* operations (norms, softmax, reductions, powers and logarithms, by the option `keep`) run in
//!   f32; their result has their operand's dtype. Norms that the backend computes in f32 internally need no
//!   casts: they have the dtype of their operands.
//! - Values *derived from an integer* stay f32 up to the next lowered operation: this is the embedding of
//!   the timestep, whose frequencies need the precision. Bytes (u8) are images and do not count.
//! - Values that only a *cast to integers* reads stay f32: the quantisation of an image.
//! - Other operations run in the low dtype if all their operands have it, else in f32. So a residual stream
//!   is low, and a sampler's arithmetic on f32 images stays f32.
//!
//! Weights are cast by nodes on parameters, which the backend computes once at compile.

use std::collections::HashMap;

use mirage_ir::{
    DType, Graph, GraphError, Node, NodeId, Op, TensorType, ValueId,
    analysis::{Prologue, Uses},
    ops::{
        Attention, BatchNorm, Binary, Cast, Conv, ConvTranspose, Extern, GroupNorm, LayerNorm,
        Linear, Matmul, Reduce, Softmax, Unary, Unknown, WithScalar,
    },
    target::Support,
};
use mirage_pass::{Outcome, PassContext, PassError, Set, TypedOptions, rewrite::Rebuild};

mirage_pass::choices! {
    /// Groups of operations that may stay f32.
    pub(crate) enum Group {
        Norm = "norm",
        Softmax = "softmax",
        Reduce = "reduce",
        Power = "power",
        Timestep = "timestep",
    }
}

mirage_pass::options! {
    /// The options of `fp16`, `bf16` and `auto_precision`.
    pub(crate) struct Options {
        /// operations that stay f32
        keep: Set<Group> = "norm+softmax+reduce+power+timestep";
        /// declare float inputs, outputs and states in the low dtype too, instead of casting them
        inputs: bool = false;
    }
}

/// Options worth measuring beside the defaults: fewer casts, less precision.
pub(crate) const WORTH_TRYING: &[(&str, &str)] =
    &[("inputs", "true"), ("keep", "timestep+power+reduce")];

/// Lowers a graph to `low`.
pub(crate) fn run(
    graph: &mut Graph,
    low: DType,
    cx: &PassContext<'_>,
) -> Result<Outcome, PassError> {
    let options = Options::read(cx.options)?;
    let prologue = Prologue::of(graph);
    let is_work = |n: &Node| is_lowered(graph, n) && !prologue.is_fixed(n.output());
    if !graph.nodes().iter().any(is_work) {
        return Ok(Outcome::unchanged(
            "0 matches: the graph has no f32 convolution, matrix product or attention",
        ));
    }
    // The types of a body's inputs are set by its calls.
    let source = if options.inputs && !cx.is_body {
        lower_border(graph, low)?
    } else {
        graph.clone()
    };
    let mut lowering = Lowering::new(&source, low, cx, options.keep);
    for node in source.nodes() {
        lowering.node(node)?;
    }
    let (next, lowered, notes) = lowering.finish()?;
    *graph = next;
    Ok(Outcome::Changed {
        rewrites: lowered,
        notes,
    })
}

fn is_lowered(graph: &Graph, node: &Node) -> bool {
    let op = &node.op;
    let kind = op.is::<Conv>()
        || op.is::<ConvTranspose>()
        || op.is::<Linear>()
        || op.is::<Matmul>()
        || op.is::<Attention>();
    kind && graph.ty(node.output()).dtype == DType::F32
}

fn is_opaque(op: &Op) -> bool {
    op.is::<Extern>() || op.is::<Unknown>() || op.body().is_some()
}

/// Returns the group of the option `keep` that an operation belongs to.
fn group(op: &Op) -> Option<Group> {
    if op.is::<GroupNorm>() || op.is::<LayerNorm>() || op.is::<BatchNorm>() {
        return Some(Group::Norm);
    }
    if op.is::<Softmax>() {
        return Some(Group::Softmax);
    }
    if op.is::<Reduce>() {
        return Some(Group::Reduce);
    }
    let is_power = match (
        op.get::<Unary>(),
        op.get::<Binary>(),
        op.get::<WithScalar>(),
    ) {
        (Some(u), _, _) => {
            use Unary::*;
            matches!(u, Exp | Log | Log1p | Sqrt | Rsqrt | Recip | Square | Erf)
        }
        (_, Some(b), _) => matches!(b, Binary::Pow | Binary::Div),
        (_, _, Some(s)) => s.f == Binary::Pow,
        _ => false,
    };
    is_power.then_some(Group::Power)
}

/// Returns the graph with its float ports in the low dtype and casts to f32 behind them.
fn lower_border(graph: &Graph, low: DType) -> Result<Graph, GraphError> {
    let lower = |ty: &TensorType| match ty.dtype {
        DType::F32 => ty.clone().with_dtype(low),
        _ => ty.clone(),
    };
    let mut b = Graph::builder(graph.name());
    b.set_attrs(graph.attrs().clone());
    let mut map: HashMap<ValueId, ValueId> = HashMap::new();
    let mut entering = Vec::new();
    for port in graph.inputs() {
        entering.push((
            port.value,
            b.input(port.name.clone(), lower(graph.ty(port.value))),
        ));
    }
    for port in graph.params() {
        map.insert(
            port.value,
            b.param(port.name.clone(), graph.ty(port.value).clone()),
        );
    }
    let mut states = Vec::new();
    for state in graph.states() {
        let value = b.state(state.name.clone(), lower(graph.ty(state.input)));
        entering.push((state.input, value));
        states.push(value);
    }
    for (old, new) in entering {
        let dtype = graph.ty(old).dtype;
        let inside = if dtype == DType::F32 {
            b.op(Cast { dtype }, &[new])?
        } else {
            new
        };
        map.insert(old, inside);
    }
    for node in graph.nodes() {
        b.set_path(node.path.clone());
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v]).collect();
        let to_f32 = |c: &Cast| c.dtype == DType::F32;
        if node.op.get::<Cast>().is_some_and(to_f32) && graph.ty(node.inputs[0]).dtype == DType::U8
        {
            // Both low dtypes represent every byte exactly.
            let narrow = b.op(Cast { dtype: low }, &inputs)?;
            let wide = b.op(Cast { dtype: DType::F32 }, &[narrow])?;
            map.insert(node.output(), wide);
            continue;
        }
        let outputs = b.push_typed(node.op.clone(), &inputs, graph.output_types(node));
        map.extend(node.outputs.iter().copied().zip(outputs));
    }
    b.set_path("");
    let leave = |b: &mut mirage_ir::GraphBuilder, v: ValueId| match graph.ty(v).dtype {
        DType::F32 => b.op(Cast { dtype: low }, &[map[&v]]),
        _ => Ok(map[&v]),
    };
    for port in graph.outputs() {
        let value = leave(&mut b, port.value)?;
        b.output(port.name.clone(), value);
    }
    for (state, input) in graph.states().iter().zip(states) {
        let value = leave(&mut b, state.output)?;
        b.set_state(input, value)?;
    }
    Ok(b.finish_unverified())
}

/// For each value, whether only casts to integers read it, directly or through other values.
fn to_integer(graph: &Graph) -> Vec<bool> {
    let uses = Uses::of(graph);
    let mut found = vec![false; graph.values().len()];
    let mut is_result = found.clone();
    graph.results().for_each(|v| is_result[v.index()] = true);
    for node in graph.nodes().iter().rev() {
        let out = node.output();
        let rounds = |user: &NodeId| {
            let user = graph.node(*user);
            let result = user.output();
            (user.op.is::<Cast>() && graph.ty(result).dtype.is_int()) || found[result.index()]
        };
        let users = uses.users(out);
        let only = !is_result[out.index()] && !users.is_empty() && users.iter().all(rounds);
        let is_own = graph.ty(out).dtype == DType::F32 && !is_lowered(graph, node);
        found[out.index()] = only && is_own;
    }
    found
}

struct Lowering<'g, 'c> {
    graph: &'g Graph,
    low: DType,
    cx: &'c PassContext<'c>,
    keep: Set<Group>,
    rebuild: Rebuild<'g>,
    prologue: Prologue,
    /// A value of the new graph in another dtype.
    casts: HashMap<(ValueId, DType), ValueId>,
    /// For each value, whether it is derived from an integer.
    from_integer: Vec<bool>,
    /// For each value, whether only casts to integers read it, directly or through other values.
    to_integer: Vec<bool>,
    lowered: usize,
    slow: Vec<String>,
}

impl<'g, 'c> Lowering<'g, 'c> {
    fn new(graph: &'g Graph, low: DType, cx: &'c PassContext<'c>, keep: Set<Group>) -> Self {
        Lowering {
            graph,
            low,
            cx,
            keep,
            rebuild: Rebuild::new(graph),
            prologue: Prologue::of(graph),
            casts: HashMap::new(),
            from_integer: vec![false; graph.values().len()],
            to_integer: to_integer(graph),
            lowered: 0,
            slow: Vec::new(),
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), GraphError> {
        self.trace_integers(node);
        if let Some(cast) = node.op.get::<Cast>()
            && cast.dtype == DType::F32
            && self.rebuild.ty(self.rebuild.get(node.inputs[0])?).dtype == self.low
        {
            // A widening of an input: each user of the value casts to the dtype that it needs.
            let value = self.rebuild.get(node.inputs[0])?;
            self.rebuild.set(node.output(), value);
            return Ok(());
        }
        let is_prologue = self.prologue.is_fixed(node.output());
        let keeps_timestep =
            self.from_integer[node.output().index()] && self.keep.contains(Group::Timestep);
        if is_prologue || is_opaque(&node.op) || keeps_timestep {
            return self.emit(node, DType::F32);
        }
        if is_lowered(self.graph, node) {
            self.lowered += 1;
            self.note_support(node);
            return self.emit(node, self.low);
        }
        if self.to_integer[node.output().index()] {
            return self.emit(node, DType::F32);
        }
        let follows = self.follows(node)?;
        match group(&node.op) {
            Some(group) if self.keep.contains(group) && !self.is_wide(node) => {
                self.emit(node, DType::F32)?;
                if follows == self.low {
                    self.narrow_outputs(node)?;
                }
                Ok(())
            }
            _ => self.emit(node, follows),
        }
    }

    /// Whether the node is a norm that the backend computes in f32 internally.
    fn is_wide(&self, node: &Node) -> bool {
        group(&node.op) == Some(Group::Norm)
            && self
                .cx
                .capabilities
                .is_f32_inside(&node.op.name(), self.low)
    }

    /// Computes which f32 values are derived from an integer: casts of integers, and what depends on them
    /// through operations that are not lowered.
    fn trace_integers(&mut self, node: &Node) {
        let derived = node.inputs.iter().any(|v| {
            let ty = self.graph.ty(*v);
            // Bytes are images, not timesteps.
            let is_number = ty.dtype.is_int() && ty.dtype != DType::U8;
            (node.op.is::<Cast>() && is_number) || self.from_integer[v.index()]
        });
        // An image that is combined with a mask or a gate made of integers is still an image.
        let meets_picture = node.inputs.iter().any(|v| {
            let ty = self.graph.ty(*v);
            ty.dtype == DType::F32 && !self.from_integer[v.index()] && !self.prologue.is_fixed(*v)
        });
        if derived && !meets_picture && !is_lowered(self.graph, node) {
            for v in &node.outputs {
                self.from_integer[v.index()] = self.graph.ty(*v).dtype == DType::F32;
            }
        }
    }

    /// Returns the dtype of a node that follows its operands: low if all that are computed in an execution
    /// are low.
    fn follows(&self, node: &Node) -> Result<DType, GraphError> {
        let mut any = false;
        for &v in node
            .inputs
            .iter()
            .filter(|v| self.graph.ty(**v).dtype == DType::F32)
        {
            if self.prologue.is_fixed(v) {
                continue;
            }
            if self.rebuild.ty(self.rebuild.get(v)?).dtype != self.low {
                return Ok(DType::F32);
            }
            any = true;
        }
        Ok(if any { self.low } else { DType::F32 })
    }

    /// Adds the node with its f32 operands in `dtype`.
    fn emit(&mut self, node: &Node, dtype: DType) -> Result<(), GraphError> {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for &v in &node.inputs {
            let is_float = self.graph.ty(v).dtype == DType::F32;
            let new = self.rebuild.get(v)?;
            inputs.push(if is_float {
                self.cast(node, new, dtype)?
            } else {
                new
            });
        }
        let op = node.op.clone();
        match op.get::<Cast>() {
            // A cast states the dtype of its result.
            Some(_) if self.graph.ty(node.output()).dtype != DType::F32 => {
                let original = self.rebuild.get(node.inputs[0])?;
                self.rebuild.emit(node, op, &[original])
            }
            _ => self.rebuild.emit(node, op, &inputs),
        }
    }

    fn narrow_outputs(&mut self, node: &Node) -> Result<(), GraphError> {
        for &v in node
            .outputs
            .iter()
            .filter(|v| self.graph.ty(**v).dtype == DType::F32)
        {
            let wide = self.rebuild.get(v)?;
            let narrow = self.cast(node, wide, self.low)?;
            self.rebuild.set(v, narrow);
        }
        Ok(())
    }

    /// Returns the value in `dtype`; adds at most one cast for each value and dtype.
    fn cast(&mut self, like: &Node, value: ValueId, dtype: DType) -> Result<ValueId, GraphError> {
        if self.rebuild.ty(value).dtype == dtype {
            return Ok(value);
        }
        if let Some(&known) = self.casts.get(&(value, dtype)) {
            return Ok(known);
        }
        let new = self.rebuild.op(like, Cast { dtype }, &[value])?;
        self.casts.insert((value, dtype), new);
        // Narrowing and widening a value changes it, so only a value that was low originally may be reused.
        if dtype == DType::F32 {
            self.casts.insert((new, self.low), value);
        }
        Ok(new)
    }

    fn note_support(&mut self, node: &Node) {
        let name = node.op.name();
        let support = self.cx.capabilities.support(&name, self.low);
        if !self.cx.capabilities.lines.is_empty() && support != Some(Support::Fast) {
            self.slow.push(name.into_owned());
        }
    }

    fn finish(self) -> Result<(Graph, usize, Vec<String>), GraphError> {
        let Lowering {
            graph,
            low,
            rebuild,
            lowered,
            mut slow,
            mut casts,
            ..
        } = self;
        slow.sort();
        slow.dedup();
        let notes = match slow.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "the backend has no fast path in {low} for {}: this saves memory, not time",
                slow.join(", ")
            )],
        };
        let next = rebuild.finish(|rebuild, old| {
            let value = rebuild.get(old)?;
            let dtype = graph.ty(old).dtype;
            if rebuild.ty(value).dtype == dtype {
                return Ok(value);
            }
            if let Some(&known) = casts.get(&(value, dtype)) {
                return Ok(known);
            }
            let like = Node {
                op: Cast { dtype }.into(),
                inputs: vec![],
                outputs: vec![],
                path: "".into(),
            };
            let new = rebuild.op(&like, Cast { dtype }, &[value])?;
            casts.insert((value, dtype), new);
            Ok(new)
        })?;
        Ok((next, lowered, notes))
    }
}

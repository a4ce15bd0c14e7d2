//! What `fp16` and `bf16` share: which operations run in the low dtype, and the casts between.
//!
//! - *Lowered* operations (convolutions, products, attention) take and give the low dtype; they are
//!   where the time goes, and engines accumulate them in f32.
//! - *Kept* operations (norms, softmax, reductions, powers and logarithms, by the option `keep`) run
//!   in f32 and give their result in the dtype that their operand had. Norms that the backend computes in
//!   f32 inside need no casts around them: they follow their operands.
//! - Everything *derived from an integer* up to the next lowered operation stays f32: that is the
//!   embedding of the timestep, whose frequencies need the digits. Bytes are pictures and do not count.
//! - What only a *cast to integers* reads is f32: a picture's quantisation, which needs digits too.
//! - The rest follows its operands: low where all of them are low, else f32. So a residual stream is
//!   low, and a sampler's arithmetic on f32 pictures stays f32.
//!
//! Weights are cast by nodes on parameters, which a backend runs once.

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
    /// Operations that may stay f32.
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
        /// declare float inputs, outputs and states in the low dtype too, instead of casting at the border
        inputs: bool = false;
    }
}

/// What is worth measuring beside the defaults: fewer casts, at the price of digits.
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
        return Ok(Outcome::unchanged(format!(
            "0 matches: the graph has no f32 convolution, product or attention to run in {low}"
        )));
    }
    // A body's inputs are what its calls give it.
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

/// The group of the option `keep` that an operation belongs to.
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

/// The graph with its float ports in the low dtype and casts to f32 inside.
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
            // Every byte is exact in either low dtype.
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

/// For each value whether only casts to integers read it, and functions of it that they read.
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
    /// For each value whether it is derived from an integer.
    from_integer: Vec<bool>,
    /// For each value whether only casts to integers read it, and functions of it that they read.
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
            // A widening at the border: its users ask for the dtype that they want.
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

    /// Whether the node is a norm that the backend computes in f32 inside.
    fn is_wide(&self, node: &Node) -> bool {
        group(&node.op) == Some(Group::Norm)
            && self
                .cx
                .capabilities
                .is_f32_inside(&node.op.name(), self.low)
    }

    /// An f32 value is derived from an integer if it is one cast, or follows from one through
    /// operations that are not lowered.
    fn trace_integers(&mut self, node: &Node) {
        let derived = node.inputs.iter().any(|v| {
            let ty = self.graph.ty(*v);
            // Bytes are pictures, not timesteps.
            let is_number = ty.dtype.is_int() && ty.dtype != DType::U8;
            (node.op.is::<Cast>() && is_number) || self.from_integer[v.index()]
        });
        // A picture does not become a timestep because a mask or a gate made of integers meets it.
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

    /// The dtype of a node that follows its operands: low if those that an execution computes are.
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
            // A cast states its result's dtype; it is not an operand that could follow.
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

    /// The value in `dtype`, cast once.
    fn cast(&mut self, like: &Node, value: ValueId, dtype: DType) -> Result<ValueId, GraphError> {
        if self.rebuild.ty(value).dtype == dtype {
            return Ok(value);
        }
        if let Some(&known) = self.casts.get(&(value, dtype)) {
            return Ok(known);
        }
        let new = self.rebuild.op(like, Cast { dtype }, &[value])?;
        self.casts.insert((value, dtype), new);
        // Widening what was narrowed gives other values, so only the way back to a value that was
        // low from the start may be taken from the table.
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
                "the backend has no fast path in {low} for {}: expect memory saved, not time",
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

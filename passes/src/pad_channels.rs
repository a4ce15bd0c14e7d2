//! Zeros as further channels, up to the multiple that the backend's kernels want.
//!
//! Convolutions and linear layers whose channel counts miss the multiple get weights padded with
//! zeros, by nodes on parameters. Their operands are padded where the padding begins (a picture's 3
//! channels); in between the zeros stay as long as operations keep them zeros and a further layer
//! takes them, and are sliced away before anything else: before norms, softmax, shapes, concatenation
//! and results.
//!
//! The whole padded graph is weighed against the graph as it is: if it has more floating-point
//! operations or moves more bytes than the option `max_overhead` allows, nothing is padded.
//!
//! With a backend that wants multiples of 8:
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,31,4,4]
//!   param %1 "w1": f32[30,31,5,5]
//!   param %2 "w2": f32[63,30,1,1]
//!   param %3 "b2": f32[63]
//!   %4: f32[1,30,4,4] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [2, 2], stride = [1, 1]}
//!   %5: f32[1,30,4,4] = silu(%4)
//!   %6: f32[1,63,4,4] = conv(%5, %2, %3) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   output "y" = %6
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,31,4,4]
//!   param %1 "w1": f32[30,31,5,5]
//!   param %2 "w2": f32[63,30,1,1]
//!   param %3 "b2": f32[63]
//!   %4: f32[1,32,4,4] = pad(%0) {after = [0, 1, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %5: f32[32,32,5,5] = pad(%1) {after = [2, 1, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %6: f32[1,32,4,4] = conv(%4, %5) {dilation = [1, 1], groups = 1, padding = [2, 2], stride = [1, 1]}
//!   %7: f32[1,32,4,4] = silu(%6)
//!   %8: f32[64,32,1,1] = pad(%2) {after = [1, 2, 0, 0], before = [0, 0, 0, 0], mode = "constant", value = 0.0}
//!   %9: f32[64] = pad(%3) {after = [1], before = [0], mode = "constant", value = 0.0}
//!   %10: f32[1,64,4,4] = conv(%7, %8, %9) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]}
//!   %11: f32[1,63,4,4] = slice(%10) {end = [1, 63, 4, 4], start = [0, 0, 0, 0], step = [1, 1, 1, 1]}
//!   output "y" = %11
//! }
//! ```

use std::collections::HashMap;

use mirage_ir::{
    DType, Graph, GraphError, Node, Op, Scalar, ValueId,
    analysis::Prologue,
    cost::{GraphCost, graph_cost},
    ops::{
        AdaptiveAvgPool, AvgPool, BatchNorm, Binary, Cast, Flip, MaxPool, Pad, PadMode, Reorder,
        Resize, Slice, Unary, WithScalar,
    },
};
use mirage_pass::{
    Numerics, OptionKind, OptionSpec, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::Rebuild,
};

use crate::alignment::{Layer, Misaligned, alignment, channel_multiple, up_to};

/// See the module.
pub(crate) struct PadChannels;

static INFO: PassInfo = PassInfo {
    tags: &["layout"],
    before: &["channels_last"],
    options: &[
        OptionSpec {
            name: "multiple",
            kind: OptionKind::Int { min: 0, max: 64 },
            default: "0",
            doc: "the number that channel counts become multiples of; 0 asks the backend",
        },
        OptionSpec {
            name: "max_overhead",
            kind: OptionKind::Float {
                min: 0.0,
                max: 1000.0,
            },
            default: "0.25",
            doc: "the most that floating-point operations and bytes of the whole graph may grow, as a fraction",
        },
    ],
    ..PassInfo::new(
        "pad_channels",
        1,
        "channel counts padded with zeros to the multiple that kernels want",
        Phase::Layout,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(PadChannels);

impl Pass for PadChannels {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let multiple = |op: &str, dtype: DType| match usize::try_from(cx.options.int("multiple")) {
            Ok(given) if given > 0 => given,
            _ => channel_multiple(cx.capabilities, op, dtype),
        };
        let found = alignment(graph, multiple);
        let (blocked, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|m| m.blocked.is_some());
        if found.is_empty() {
            let mut reasons = vec![nothing_to_do(graph, &multiple, blocked.is_empty())];
            reasons.extend(blocked_lines(&blocked));
            return Ok(Outcome::Unchanged { reasons });
        }
        let mut padding = Padding::new(graph, &multiple);
        for node in graph.nodes() {
            padding.node(node)?;
        }
        let next = padding.finish()?;
        let growth = Growth::between(&graph_cost(graph), &graph_cost(&next));
        let what = summary(&found);
        let allowed = cx.options.float("max_overhead");
        if growth.fraction() > allowed {
            return Ok(Outcome::unchanged(format!(
                "{what} would cost {growth}: more than the option max_overhead allows ({:.1} %)",
                100.0 * allowed
            )));
        }
        let mut notes = vec![format!("{what} costs {growth}")];
        notes.extend(blocked_lines(&blocked));
        *graph = next;
        Ok(Outcome::Changed {
            rewrites: found.len(),
            notes,
        })
    }
}

/// Why there is nothing to pad.
fn nothing_to_do(graph: &Graph, multiple: impl Fn(&str, DType) -> usize, fits: bool) -> String {
    let prologue = Prologue::of(graph);
    let mut layers = graph
        .nodes()
        .iter()
        .filter(|n| Layer::of(graph, &prologue, n).is_some())
        .peekable();
    let wants = |n: &Node| multiple(&n.op.name(), graph.ty(n.output()).dtype) > 1;
    if layers.peek().is_none() {
        "0 matches: the graph has no convolution and no linear layer".to_owned()
    } else if !layers.any(wants) {
        "no multiple is known: the backend states none for these layers; give one, such as `multiple=8`".to_owned()
    } else if fits {
        "every channel count is a multiple of what the layer wants".to_owned()
    } else {
        "no layer that can be padded misses its multiple".to_owned()
    }
}

fn blocked_lines(blocked: &[Misaligned]) -> Option<String> {
    let first = blocked.first()?;
    Some(format!(
        "{} channel counts left, the first of {} at `{}`: {}",
        blocked.len(),
        first.op,
        first.path,
        first.blocked.unwrap_or_default()
    ))
}

fn summary(found: &[Misaligned]) -> String {
    let first = found.first().map_or(String::new(), |m| {
        format!("{} {} of `{}` to {}", m.size, m.side, m.path, m.padded)
    });
    format!(
        "padding {} channel counts (the first: {first})",
        found.len()
    )
}

/// How much more an execution costs.
struct Growth {
    flops: (u64, f64),
    bytes: (u64, f64),
}

impl Growth {
    fn between(before: &GraphCost, after: &GraphCost) -> Self {
        let more = |before: u64, after: u64| {
            let extra = after.saturating_sub(before);
            (extra, extra as f64 / before.max(1) as f64)
        };
        Growth {
            flops: more(before.flops, after.flops),
            bytes: more(before.bytes, after.bytes),
        }
    }

    fn fraction(&self) -> f64 {
        self.flops.1.max(self.bytes.1)
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((flops, by_flops), (bytes, by_bytes)) = (self.flops, self.bytes);
        write!(
            f,
            "{:.3} MFLOP (+{:.1} %) and {:.3} MiB (+{:.1} %)",
            flops as f64 / 1e6,
            100.0 * by_flops,
            bytes as f64 / f64::from(1 << 20),
            100.0 * by_bytes
        )
    }
}

/// Channels beyond a value's own, all zeros: the new value has `size` of them along `axis`.
#[derive(Clone, Copy, PartialEq)]
struct Extra {
    axis: usize,
    own: usize,
    size: usize,
}

struct Padding<'g, M> {
    graph: &'g Graph,
    rebuild: Rebuild<'g>,
    prologue: Prologue,
    multiple: &'g M,
    /// For each old value whether a layer takes it, maybe through operations that keep zeros.
    wanted: Vec<bool>,
    /// New values without and with further channels, by the value and the shape.
    resized: HashMap<(ValueId, Vec<usize>, bool), ValueId>,
}

impl<'g, M: Fn(&str, DType) -> usize> Padding<'g, M> {
    fn new(graph: &'g Graph, multiple: &'g M) -> Self {
        let prologue = Prologue::of(graph);
        let mut wanted = vec![false; graph.values().len()];
        for node in graph.nodes().iter().rev() {
            let layer = Layer::of(graph, &prologue, node).filter(|l| l.blocked.is_none());
            if layer.is_some() {
                wanted[node.inputs[0].index()] = true;
            } else if may_keep_zeros(&node.op) && wanted[node.output().index()] {
                node.inputs.iter().for_each(|v| wanted[v.index()] = true);
            }
        }
        Padding {
            graph,
            rebuild: Rebuild::new(graph),
            prologue,
            multiple,
            wanted,
            resized: HashMap::new(),
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), GraphError> {
        if let Some(layer) = Layer::of(self.graph, &self.prologue, node)
            && layer.blocked.is_none()
        {
            return self.layer(node, &layer);
        }
        if let Some((op, inputs)) = self.keeping_zeros(node)? {
            return self.rebuild.emit(node, op, &inputs);
        }
        let inputs = node
            .inputs
            .iter()
            .map(|&v| self.own(node, v))
            .collect::<Result<Vec<_>, _>>()?;
        self.rebuild.emit(node, node.op.clone(), &inputs)
    }

    /// The layer on padded operands with padded weights.
    fn layer(&mut self, node: &Node, layer: &Layer) -> Result<(), GraphError> {
        let out = self.graph.ty(node.output());
        let multiple = (self.multiple)(&node.op.name(), out.dtype).max(1);
        let mut inputs = node
            .inputs
            .iter()
            .map(|&v| self.rebuild.get(v))
            .collect::<Result<Vec<_>, _>>()?;
        let fits = |e: &Extra| e.axis == layer.axis && e.size.is_multiple_of(multiple);
        let ins = match self.extra(node.inputs[0])?.filter(fits) {
            Some(extra) => extra.size,
            None => {
                let x = self.own(node, node.inputs[0])?;
                let ins = up_to(layer.ins, multiple);
                inputs[0] = self.with_channels(node, x, layer.axis, ins, false)?;
                ins
            }
        };
        let outs = up_to(layer.outs, multiple);
        let [in_axis, out_axis] = layer.weight_axes;
        let mut shape = self.rebuild.ty(inputs[1]).shape.clone();
        (shape[in_axis], shape[out_axis]) = (ins, outs);
        inputs[1] = self.grown(node, inputs[1], shape, false)?;
        if let Some(bias) = inputs.get_mut(2) {
            *bias = self.grown(node, *bias, vec![outs], false)?;
        }
        self.rebuild.emit(node, node.op.clone(), &inputs)?;
        if !self.wanted[node.output().index()] {
            let own = self.own(node, node.output())?;
            self.rebuild.set(node.output(), own);
        }
        Ok(())
    }

    /// What stands for an old value beyond its own channels.
    fn extra(&self, old: ValueId) -> Result<Option<Extra>, GraphError> {
        let (old, new) = (self.graph.ty(old), self.rebuild.ty(self.rebuild.get(old)?));
        let axis = (0..old.rank()).find(|&d| old.shape[d] != new.shape[d]);
        Ok(axis.map(|axis| Extra {
            axis,
            own: old.shape[axis],
            size: new.shape[axis],
        }))
    }

    /// The operation and the operands with which the node takes and gives padded channels, if its
    /// operands have some, a layer wants them, and zeros stay zeros.
    fn keeping_zeros(&mut self, node: &Node) -> Result<Option<(Op, Vec<ValueId>)>, GraphError> {
        if !may_keep_zeros(&node.op) || !self.wanted[node.output().index()] {
            return Ok(None);
        }
        let extras = node
            .inputs
            .iter()
            .map(|&v| self.extra(v))
            .collect::<Result<Vec<_>, _>>()?;
        let mut some = extras.iter().flatten();
        let Some(&extra) = some.next() else {
            return Ok(None);
        };
        // Operands of one channel that are padded to as many as others would no longer broadcast.
        let own = self.graph.ty(node.output()).shape.get(extra.axis) == Some(&extra.own);
        if !own || some.any(|e| *e != extra) {
            return Ok(None);
        }
        let operands = if node.op.is::<BatchNorm>() {
            self.beside_norm(node, &extras, extra)
        } else if let Some(f) = node.op.get::<Binary>() {
            self.beside_binary(*f, node, &extras, extra)
        } else {
            return match kept(&node.op, extra) {
                Some(op) => Ok(Some((op, vec![self.rebuild.get(node.inputs[0])?]))),
                None => Ok(None),
            };
        };
        let Some(operands) = operands else {
            return Ok(None);
        };
        let mut inputs = Vec::with_capacity(operands.len());
        for (&old, operand) in node.inputs.iter().zip(operands) {
            let new = self.rebuild.get(old)?;
            inputs.push(match operand {
                Beside::AsItIs => new,
                Beside::Padded { axis, ones } => {
                    self.with_channels(node, new, axis, extra.size, ones)?
                }
            });
        }
        Ok(Some((node.op.clone(), inputs)))
    }

    /// How a batch norm takes its operands when its pictures are padded: it gives
    /// (0 − 0)/√(1 + eps)·0 + 0 for the further channels. `None` if it cannot.
    fn beside_norm(
        &self,
        node: &Node,
        extras: &[Option<Extra>],
        extra: Extra,
    ) -> Option<Vec<Beside>> {
        let pictures = extra.axis == 1 && extras[0].is_some();
        let fixed = |v: &ValueId| self.prologue.is_fixed(*v);
        let fits = pictures && node.inputs[1..].iter().all(fixed);
        let parameter = |ones| Beside::Padded { axis: 0, ones };
        let [gamma, beta, mean, variance] = [false, false, false, true].map(parameter);
        fits.then(|| vec![Beside::AsItIs, gamma, beta, mean, variance])
    }

    /// How f takes its operands, of which some are padded, so that it gives zeros for the further
    /// channels. `None` if it cannot.
    fn beside_binary(
        &self,
        f: Binary,
        node: &Node,
        extras: &[Option<Extra>],
        extra: Extra,
    ) -> Option<Vec<Beside>> {
        use Binary::*;
        let takes = match f {
            Add | Sub | Mul | Max | Min => true,
            Div => extras[1].is_none(),
            _ => false,
        };
        let operand = |(&old, padded): (&ValueId, &Option<Extra>)| {
            let channels = self.graph.ty(old).shape[extra.axis];
            if padded.is_some() || (channels == 1 && matches!(f, Mul | Div)) {
                return Some(Beside::AsItIs);
            }
            let fills = self.prologue.is_fixed(old) && channels == extra.own;
            fills.then_some(Beside::Padded {
                axis: extra.axis,
                ones: f == Div,
            })
        };
        node.inputs
            .iter()
            .zip(extras)
            .map(operand)
            .collect::<Option<Vec<_>>>()
            .filter(|_| takes)
    }

    /// The new value that stands for an old one, without padding.
    fn own(&mut self, like: &Node, old: ValueId) -> Result<ValueId, GraphError> {
        let new = self.rebuild.get(old)?;
        let shape = &self.graph.ty(old).shape;
        if self.rebuild.ty(new).shape == *shape {
            return Ok(new);
        }
        let key = (new, shape.clone(), false);
        if let Some(&known) = self.resized.get(&key) {
            return Ok(known);
        }
        let own = self.rebuild.op(like, first(shape), &[new])?;
        self.resized.insert(key, own);
        Ok(own)
    }

    fn with_channels(
        &mut self,
        like: &Node,
        value: ValueId,
        axis: usize,
        channels: usize,
        ones: bool,
    ) -> Result<ValueId, GraphError> {
        let mut shape = self.rebuild.ty(value).shape.clone();
        shape[axis] = channels;
        self.grown(like, value, shape, ones)
    }

    /// The value with further elements up to this shape: zeros or ones.
    fn grown(
        &mut self,
        like: &Node,
        value: ValueId,
        shape: Vec<usize>,
        ones: bool,
    ) -> Result<ValueId, GraphError> {
        let own = &self.rebuild.ty(value).shape;
        if *own == shape {
            return Ok(value);
        }
        let key = (value, shape, ones);
        if let Some(&known) = self.resized.get(&key) {
            return Ok(known);
        }
        let pad = Pad {
            before: vec![0; own.len()],
            after: key.1.iter().zip(own).map(|(to, from)| to - from).collect(),
            mode: PadMode::Constant,
            value: Some(Scalar::Float(f64::from(u8::from(ones)))),
        };
        let grown = self.rebuild.op(like, pad, &[value])?;
        self.resized.insert(key, grown);
        Ok(grown)
    }

    fn finish(self) -> Result<Graph, GraphError> {
        let Padding { graph, rebuild, .. } = self;
        let mut resized = self.resized;
        rebuild.finish(|rebuild, old| {
            let (new, ty) = (rebuild.get(old)?, graph.ty(old));
            if rebuild.ty(new).shape == ty.shape {
                return Ok(new);
            }
            let key = (new, ty.shape.clone(), false);
            if let Some(&known) = resized.get(&key) {
                return Ok(known);
            }
            let like = graph.producer(old).map(|(_, node)| node.clone());
            let Some(like) = like else { return Ok(new) };
            let own = rebuild.op(&like, first(&ty.shape), &[new])?;
            resized.insert(key, own);
            Ok(own)
        })
    }
}

/// The first elements along each dimension.
fn first(shape: &[usize]) -> Slice {
    Slice {
        start: vec![0; shape.len()],
        end: shape.to_vec(),
        step: vec![1; shape.len()],
    }
}

/// Whether there are operands with which the operation gives zeros for channels of zeros, and mixes
/// no channels.
fn may_keep_zeros(op: &Op) -> bool {
    // Whatever the channel, an operation that keeps zeros keeps the zeros of these.
    let anywhere = Extra {
        axis: usize::MAX,
        own: 0,
        size: 0,
    };
    let is_moved = op.is::<Slice>() || op.is::<Pad>() || op.is::<Flip>();
    is_moved || op.is::<Binary>() || op.is::<BatchNorm>() || kept(op, anywhere).is_some()
}

/// The operation on one operand with more channels, if it gives zeros for them.
fn kept(op: &Op, extra: Extra) -> Option<Op> {
    let Extra { axis, own, size } = extra;
    if let Some(slice) = op.get::<Slice>() {
        let whole = slice.start[axis] == 0 && slice.end[axis] == own && slice.step[axis] == 1;
        let mut wider = slice.clone();
        wider.end[axis] = size;
        return whole.then(|| wider.into());
    }
    let keeps = if let Some(f) = op.get::<Unary>() {
        zero_at_zero(*f)
    } else if let Some(f) = op.get::<WithScalar>() {
        zero_with(f.f, f.value.as_f64())
    } else if let Some(cast) = op.get::<Cast>() {
        cast.dtype.is_float()
    } else if let Some(pad) = op.get::<Pad>() {
        let zeros = pad.mode != PadMode::Constant || pad.value.is_none_or(|v| v.as_f64() == 0.0);
        zeros && pad.before[axis] == 0 && pad.after[axis] == 0
    } else if let Some(flip) = op.get::<Flip>() {
        !flip.dims.contains(&axis)
    } else {
        let by_channel = op.is::<MaxPool>()
            || op.is::<AvgPool>()
            || op.is::<AdaptiveAvgPool>()
            || op.is::<Resize>();
        op.is::<Reorder>() || (by_channel && (axis == 1 || axis == usize::MAX))
    };
    keeps.then(|| op.clone())
}

/// Whether f(0) = 0, in the operand's dtype.
fn zero_at_zero(f: Unary) -> bool {
    use Unary::*;
    matches!(
        f,
        Abs | Asin
            | Atan
            | Ceil
            | Erf
            | Floor
            | Gelu
            | GeluTanh
            | Log1p
            | Neg
            | Relu
            | Round
            | Sign
            | Silu
            | Sin
            | Sinh
            | Sqrt
            | Square
            | Tan
            | Tanh
            | Trunc
    )
}

/// Whether f(0, c) = 0, in the operand's dtype.
fn zero_with(f: Binary, c: f64) -> bool {
    match f {
        Binary::Mul => c.is_finite(),
        Binary::Div => c != 0.0 && !c.is_nan(),
        Binary::Add | Binary::Sub => c == 0.0,
        Binary::Max => c <= 0.0,
        Binary::Min => c >= 0.0,
        Binary::Pow => c > 0.0,
        _ => false,
    }
}

/// How an operation takes an operand beside one that is padded.
enum Beside {
    AsItIs,
    /// With zeros or ones as further channels.
    Padded {
        axis: usize,
        ones: bool,
    },
}

#[cfg(test)]
mod tests {
    use mirage_ir::target::{Capability, Support};

    use super::*;

    #[test]
    fn examples() {
        let capabilities = mirage_ir::target::Capabilities {
            lines: vec![Capability {
                op: "*".into(),
                dtypes: vec![DType::F32],
                orders: vec![],
                channel_multiple: 8,
                support: Support::Fast,
            }],
        };
        crate::example::check_on(&PadChannels, &capabilities, include_str!("pad_channels.rs"));
    }
}

//! Scales and shifts by channel become part of the convolution or linear layer next to them.
//!
//! Folded are `batch_norm`, and products, quotients, sums and differences with a fixed value per
//! channel. Into the layer *before*: its weight is scaled by output channel, its bias scaled and
//! shifted. Else into the layer *after*: its weight is scaled by input channel, and what the shift
//! adds becomes bias, which is exact only where the layer pads no zeros, for those are not shifted.
//! The new weights are nodes on parameters, computed once at compile.
//!
//! ```mirage before
//! graph "before" {
//!   input %0 "x": f32[1,4,8,8]
//!   param %1 "w": f32[8,4,3,3]
//!   param %2 "gamma": f32[8]
//!   param %3 "beta": f32[8]
//!   param %4 "mean": f32[8]
//!   param %5 "variance": f32[8]
//!   %6: f32[1,8,8,8] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
//!   %7: f32[1,8,8,8] = batch_norm(%6, %2, %3, %4, %5) {eps = 1e-5}
//!   output "y" = %7
//! }
//! ```
//! ```mirage after
//! graph "before" {
//!   input %0 "x": f32[1,4,8,8]
//!   param %1 "w": f32[8,4,3,3]
//!   param %2 "gamma": f32[8]
//!   param %3 "beta": f32[8]
//!   param %4 "mean": f32[8]
//!   param %5 "variance": f32[8]
//!   %6: f32[8] = add_scalar(%5) {value = 1e-5}
//!   %7: f32[8] = rsqrt(%6)
//!   %8: f32[8] = mul(%2, %7)
//!   %9: f32[8] = mul(%4, %8)
//!   %10: f32[8] = sub(%3, %9)
//!   %11: f32[8,1,1,1] = reshape(%8) {shape = [8, 1, 1, 1]}
//!   %12: f32[8,4,3,3] = mul(%1, %11)
//!   %13: f32[1,8,8,8] = conv(%0, %12, %10) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
//!   output "y" = %13
//! }
//! ```
//! ```mirage before
//! graph "after" {
//!   input %0 "x": f32[2,4]
//!   param %1 "scale": f32[1,4]
//!   param %2 "shift": f32[1,4]
//!   param %3 "w": f32[4,8]
//!   param %4 "b": f32[8]
//!   %5: f32[2,4] = silu(%0)
//!   %6: f32[2,4] = mul(%5, %1)
//!   %7: f32[2,4] = add(%6, %2)
//!   %8: f32[2,8] = linear(%7, %3, %4)
//!   output "y" = %8
//! }
//! ```
//! ```mirage after
//! graph "after" {
//!   input %0 "x": f32[2,4]
//!   param %1 "scale": f32[1,4]
//!   param %2 "shift": f32[1,4]
//!   param %3 "w": f32[4,8]
//!   param %4 "b": f32[8]
//!   %5: f32[2,4] = silu(%0)
//!   %6: f32[4] = reshape(%2) {shape = [4]}
//!   %7: f32[4,1] = reshape(%6) {shape = [4, 1]}
//!   %8: f32[4,8] = mul(%3, %7)
//!   %9: f32[1,8] = reduce_sum(%8) {dims = [0]}
//!   %10: f32[8] = reshape(%9) {shape = [8]}
//!   %11: f32[8] = add(%4, %10)
//!   %12: f32[4] = reshape(%1) {shape = [4]}
//!   %13: f32[4,1] = reshape(%12) {shape = [4, 1]}
//!   %14: f32[4,8] = mul(%3, %13)
//!   %15: f32[2,8] = linear(%5, %14, %11)
//!   output "y" = %15
//! }
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mirage_ir::{
    DType, Graph, GraphError, Node, NodeId, TensorType, ValueId,
    analysis::Prologue,
    ops::{
        BatchNorm, Binary, Conv, ConvTranspose, Expand, Linear, Reduce, ReduceFn, Reshape, Unary,
        WithScalar,
    },
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::{At, Patch, View, rewrite},
};

/// See the module.
pub(crate) struct FoldBatchNorm;

static INFO: PassInfo = PassInfo {
    before: &["merge_qkv"],
    ..PassInfo::new(
        "fold_batch_norm",
        1,
        "batch norms and fixed scales and shifts by channel into the layer before or after",
        Phase::Simplify,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(FoldBatchNorm);

impl Pass for FoldBatchNorm {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let (mut before, mut after) = (0, 0);
        loop {
            // The layer before comes first: it takes a shift whatever it pads.
            let folded = fold(graph, into_producer)?;
            before += folded;
            let folded_after = fold(graph, into_consumer)?;
            after += folded_after;
            if folded_after == 0 {
                break;
            }
        }
        let mut lines = left(graph);
        Ok(match before + after {
            0 if lines.is_empty() => Outcome::unchanged(
                "0 matches: the graph has no batch_norm, and no fixed scale or shift by channel next to a convolution or a linear layer",
            ),
            0 => Outcome::Unchanged { reasons: lines },
            rewrites => {
                lines.insert(
                    0,
                    format!("{before} into the layer before, {after} into the layer after"),
                );
                Outcome::Changed {
                    rewrites,
                    notes: lines,
                }
            }
        })
    }
}

type Rule = fn(&Site, NodeId, &mut Patch) -> Result<(), GraphError>;

fn fold(graph: &mut Graph, rule: Rule) -> Result<usize, GraphError> {
    let mut prologue = Prologue::of(graph);
    rewrite(graph, |view, id, node, patch| {
        if id.index() == 0 {
            // A round starts at the first node, on a graph of its own.
            prologue = Prologue::of(view.graph());
        }
        match Site::of(view, &prologue, node) {
            Some(site) => rule(&site, id, patch),
            None => Ok(()),
        }
    })
}

/// Replaces the affine node by the layer before it, with other weights.
fn into_producer(site: &Site, id: NodeId, patch: &mut Patch) -> Result<(), GraphError> {
    let Ok(layer) = site.producer() else {
        return Ok(());
    };
    let mut at = patch.at(id);
    let (scale, shift) = site.step.emit(&mut at, layer.channels(Side::Output))?;
    let (x, weight) = (layer.node.inputs[0], layer.node.inputs[1]);
    let mut operands = vec![x, weight];
    let mut bias = layer.node.inputs.get(2).copied();
    if let Some(scale) = scale {
        operands[1] = layer.scaled_weight(&mut at, scale, Side::Output)?;
        bias = match bias {
            Some(b) => Some(at.op(Binary::Mul, &[b, scale])?),
            None => None,
        };
    }
    operands.extend(sum(&mut at, bias, shift)?);
    let folded = at.op(layer.node.op.clone(), &operands)?;
    at.replace(site.out, folded)
}

/// Replaces the layer after the affine node by one with other weights on the affine node's operand.
fn into_consumer(site: &Site, _id: NodeId, patch: &mut Patch) -> Result<(), GraphError> {
    let Ok(layer) = site.consumer() else {
        return Ok(());
    };
    let mut at = patch.at(layer.id);
    let (scale, shift) = site.step.emit(&mut at, layer.channels(Side::Input))?;
    let mut operands = vec![site.x, layer.node.inputs[1]];
    let mut bias = layer.node.inputs.get(2).copied();
    if let Some(shift) = shift {
        let product = layer.scaled_weight(&mut at, shift, Side::Input)?;
        let added = at.op(
            Reduce {
                f: ReduceFn::Sum,
                dims: layer.summed_dims(),
            },
            &[product],
        )?;
        let added = at.op(Reshape::to([layer.channels(Side::Output)]), &[added])?;
        bias = sum(&mut at, bias, Some(added))?;
    }
    if let Some(scale) = scale {
        operands[1] = layer.scaled_weight(&mut at, scale, Side::Input)?;
    }
    operands.extend(bias);
    let folded = at.op(layer.node.op.clone(), &operands)?;
    at.replace(layer.node.output(), folded)
}

fn sum(at: &mut At, a: Option<ValueId>, b: Option<ValueId>) -> Result<Option<ValueId>, GraphError> {
    Ok(match (a, b) {
        (Some(a), Some(b)) => Some(at.op(Binary::Add, &[a, b])?),
        (a, b) => a.or(b),
    })
}

/// What is left as it is, a line a reason.
fn left(graph: &Graph) -> Vec<String> {
    let (view, prologue) = (View::new(graph), Prologue::of(graph));
    let mut left: BTreeMap<&str, BTreeSet<Arc<str>>> = BTreeMap::new();
    for node in graph.nodes() {
        let Some(site) = Site::of(&view, &prologue, node) else {
            continue;
        };
        let verdicts = [site.producer().err(), site.consumer().err()];
        let because = verdicts.into_iter().flatten().find_map(|refusal| refusal.0);
        let is_norm = matches!(site.step, Step::Norm { .. });
        let alone = is_norm.then_some("no convolution or linear layer right before or after");
        if let Some(reason) = because.or(alone) {
            left.entry(reason).or_default().insert(node.path.clone());
        }
    }
    let line = |(reason, paths): (&&str, &BTreeSet<Arc<str>>)| {
        let first = paths.first().map_or("", |p| p);
        format!(
            "left at {} places, the first `{first}`: {reason}",
            paths.len()
        )
    };
    left.iter().map(line).collect()
}

/// Why a layer cannot take a scale or a shift; without a reason if there is no layer.
struct Refusal(Option<&'static str>);

impl Refusal {
    const NO_LAYER: Refusal = Refusal(None);

    fn because(reason: &'static str) -> Self {
        Refusal(Some(reason))
    }
}

/// A node that scales or shifts the channels of `x` by fixed values.
struct Site<'v> {
    view: &'v View<'v>,
    prologue: &'v Prologue,
    x: ValueId,
    out: ValueId,
    step: Step,
    /// The dimension of the channels; `None` if all have one value.
    axis: Option<usize>,
}

/// How each channel changes.
enum Step {
    Norm {
        eps: f64,
        /// gamma, beta, mean, variance
        params: [ValueId; 4],
    },
    With(Binary, ValueId),
}

impl<'v> Site<'v> {
    fn of(view: &'v View<'v>, prologue: &'v Prologue, node: &Node) -> Option<Self> {
        let out = node.outputs.first().copied()?;
        if prologue.is_fixed(out) {
            return None;
        }
        let (x, step, axis) = if let Some(norm) = node.op.get::<BatchNorm>() {
            let [x, gamma, beta, mean, variance] = node.inputs[..] else {
                return None;
            };
            let params = [gamma, beta, mean, variance];
            let step = Step::Norm {
                eps: norm.eps,
                params,
            };
            params
                .iter()
                .all(|&p| prologue.is_fixed(p))
                .then_some((x, step, Some(1)))?
        } else {
            let f = *node.op.get::<Binary>()?;
            let [a, b] = node.inputs[..] else { return None };
            let (x, by) = match f {
                Binary::Mul | Binary::Add if prologue.is_fixed(a) => (b, a),
                Binary::Mul | Binary::Add | Binary::Div | Binary::Sub if prologue.is_fixed(b) => {
                    (a, b)
                }
                _ => return None,
            };
            (x, Step::With(f, by), channel_axis(view.ty(by))?)
        };
        (view.ty(x) == view.ty(out)).then_some(Site {
            view,
            prologue,
            x,
            out,
            step,
            axis,
        })
    }

    /// The layer before, if it can take the step.
    fn producer(&self) -> Result<Layer<'v>, Refusal> {
        let (id, node) = self.view.node(self.x).ok_or(Refusal::NO_LAYER)?;
        let layer = Layer::of(self.view.graph(), id, node).ok_or(Refusal::NO_LAYER)?;
        if !self.view.uses().is_single(self.x) {
            return Err(Refusal::because("the layer's result is used elsewhere too"));
        }
        self.check(&layer)?;
        Ok(layer)
    }

    /// The layer after, if it can take the step.
    fn consumer(&self) -> Result<Layer<'v>, Refusal> {
        let &id = self
            .view
            .uses()
            .users(self.out)
            .first()
            .ok_or(Refusal::NO_LAYER)?;
        let graph = self.view.graph();
        let layer = Layer::of(graph, id, graph.node(id))
            .filter(|l| l.node.inputs[0] == self.out)
            .ok_or(Refusal::NO_LAYER)?;
        if !self.view.uses().is_single(self.out) {
            return Err(Refusal::because("the result is used elsewhere too"));
        }
        self.check(&layer)?;
        if self.step.shifts() && !layer.reaches_every_element() {
            return Err(Refusal::because(
                "the layer after pads with zeros, which a shift does not reach",
            ));
        }
        Ok(layer)
    }

    fn check(&self, layer: &Layer) -> Result<(), Refusal> {
        if self.axis.is_some_and(|axis| axis != layer.axis) {
            return Err(Refusal::because(
                "it goes by another dimension than the layer's channels",
            ));
        }
        let weights = &layer.node.inputs[1..];
        if !weights.iter().all(|&w| self.prologue.is_fixed(w)) {
            return Err(Refusal::because("the layer's weights are not fixed"));
        }
        if !matches!(self.view.ty(self.out).dtype, DType::F32 | DType::F64) {
            return Err(Refusal::because(
                "weights in 16 bits would be rounded again: fold before the precision is lowered",
            ));
        }
        Ok(())
    }
}

/// The only dimension that is not 1; `Some(None)` if all are.
fn channel_axis(ty: &TensorType) -> Option<Option<usize>> {
    let mut wide = (0..ty.rank()).filter(|&d| ty.shape[d] != 1);
    let axis = wide.next();
    wide.next().is_none().then_some(axis)
}

impl Step {
    fn shifts(&self) -> bool {
        matches!(
            self,
            Step::Norm { .. } | Step::With(Binary::Add | Binary::Sub, _)
        )
    }

    /// The scale and the shift, `[channels]` each.
    fn emit(
        &self,
        at: &mut At,
        channels: usize,
    ) -> Result<(Option<ValueId>, Option<ValueId>), GraphError> {
        match *self {
            Step::Norm {
                eps,
                params: [gamma, beta, mean, variance],
            } => {
                let variance = at.op(WithScalar::float(Binary::Add, eps), &[variance])?;
                let inverse = at.op(Unary::Rsqrt, &[variance])?;
                let scale = at.op(Binary::Mul, &[gamma, inverse])?;
                let mean = at.op(Binary::Mul, &[mean, scale])?;
                let shift = at.op(Binary::Sub, &[beta, mean])?;
                Ok((Some(scale), Some(shift)))
            }
            Step::With(f, by) => {
                let count = at.ty(by).numel();
                let mut v = at.op(Reshape::to([count]), &[by])?;
                if count != channels {
                    let shape = vec![channels];
                    v = at.op(Expand { shape }, &[v])?;
                }
                Ok(match f {
                    Binary::Mul => (Some(v), None),
                    Binary::Div => (Some(at.op(Unary::Recip, &[v])?), None),
                    Binary::Sub => (None, Some(at.op(Unary::Neg, &[v])?)),
                    _ => (None, Some(v)),
                })
            }
        }
    }
}

/// Which channels of a layer.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Input,
    Output,
}

/// A convolution, transposed convolution or linear layer.
struct Layer<'g> {
    id: NodeId,
    node: &'g Node,
    weight: &'g TensorType,
    groups: usize,
    /// The side whose channels are the weight's dimension 0; the other's, by group, are dimension 1.
    rows: Side,
    /// The dimension of the channels in operand and result.
    axis: usize,
}

impl<'g> Layer<'g> {
    fn of(graph: &'g Graph, id: NodeId, node: &'g Node) -> Option<Self> {
        let (groups, rows) = if let Some(conv) = node.op.get::<Conv>() {
            (conv.groups, Side::Output)
        } else if let Some(conv) = node.op.get::<ConvTranspose>() {
            (conv.groups, Side::Input)
        } else if node.op.is::<Linear>() {
            (1, Side::Input)
        } else {
            return None;
        };
        let x = graph.ty(node.inputs[0]);
        Some(Layer {
            id,
            node,
            weight: graph.ty(node.inputs[1]),
            groups,
            rows,
            axis: if node.op.is::<Linear>() {
                x.rank() - 1
            } else {
                1
            },
        })
    }

    fn channels(&self, side: Side) -> usize {
        if side == self.rows {
            self.weight.shape[0]
        } else {
            self.weight.shape[1] * self.groups
        }
    }

    /// The weight, each element multiplied by the factor of its channel on this side.
    fn scaled_weight(
        &self,
        at: &mut At,
        factors: ValueId,
        side: Side,
    ) -> Result<ValueId, GraphError> {
        let [rows, columns] = [self.weight.shape[0], self.weight.shape[1]];
        let mut shape = vec![1; self.weight.rank()];
        let factors = if side == self.rows {
            shape[0] = rows;
            factors
        } else if self.groups == 1 {
            shape[1] = columns;
            factors
        } else {
            // Rows of one group have the factors of that group.
            let by_group = at.op(Reshape::to([self.groups, 1, columns]), &[factors])?;
            (shape[0], shape[1]) = (rows, columns);
            let every_row = Expand {
                shape: vec![self.groups, rows / self.groups, columns],
            };
            at.op(every_row, &[by_group])?
        };
        let factors = at.op(Reshape::to(shape), &[factors])?;
        at.op(Binary::Mul, &[self.node.inputs[1], factors])
    }

    /// The weight's dimensions over which the layer sums, of a layer that reaches every element.
    fn summed_dims(&self) -> Vec<usize> {
        match self.rows {
            Side::Output => (1..self.weight.rank()).collect(),
            Side::Input => vec![0],
        }
    }

    /// Whether every result sums over the whole filter, so that a shift of the operand adds the same
    /// everywhere.
    fn reaches_every_element(&self) -> bool {
        match self.node.op.get::<Conv>() {
            Some(conv) => conv.padding.iter().all(|&p| p == 0),
            None => self.node.op.is::<Linear>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&FoldBatchNorm, include_str!("fold_batch_norm.rs"));
    }
}

//! Folds scales and shifts by channel into the convolution or linear layer next to them.
//!
//! Matches `batch_norm`, and products, quotients, sums and differences with a fixed value per channel.
//! The layer *before* is preferred: its weight is scaled by output channel, its bias is scaled and
//! shifted. Otherwise the layer *after* takes them: its weight is scaled by input channel, and the
//! contribution of the shift is added to its bias. A shift is not folded into a layer that pads with
//! zeros, because the zeros are not shifted. The new weights are nodes on parameters, computed once at
//! compile.
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

mod layer;
mod site;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mirage_ir::{
    Graph, GraphError, NodeId, ValueId,
    analysis::Prologue,
    ops::{Binary, Reduce, ReduceFn, Reshape},
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::{At, Patch, View, rewrite},
};

use layer::Side;
use site::{AffineStep, Site};

/// See the module.
pub(crate) struct FoldBatchNorm;

static INFO: PassInfo = PassInfo {
    before: &["merge_qkv"],
    ..PassInfo::new(
        "fold_batch_norm",
        1,
        "folds batch norms and fixed scales and shifts by channel into the layer before or after",
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
            // The layer before is tried first: it can take a shift whatever its padding is.
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
                    format!("{before} folded into the layer before, {after} into the layer after"),
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
            // Each round starts at the first node of a new graph.
            prologue = Prologue::of(view.graph());
        }
        match Site::of(view, &prologue, node) {
            Some(site) => rule(&site, id, patch),
            None => Ok(()),
        }
    })
}

/// Replaces the affine node by the layer before it with new weights.
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

/// Replaces the layer after the affine node by one with new weights on the affine node's operand.
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

/// Describes the nodes that are not folded, one line for each reason.
fn left(graph: &Graph) -> Vec<String> {
    let (view, prologue) = (View::new(graph), Prologue::of(graph));
    let mut left: BTreeMap<&str, BTreeSet<Arc<str>>> = BTreeMap::new();
    for node in graph.nodes() {
        let Some(site) = Site::of(&view, &prologue, node) else {
            continue;
        };
        let verdicts = [site.producer().err(), site.consumer().err()];
        let because = verdicts.into_iter().flatten().find_map(|refusal| refusal.0);
        let is_norm = matches!(site.step, AffineStep::Norm { .. });
        let alone = is_norm.then_some("no convolution or linear layer directly before or after");
        if let Some(reason) = because.or(alone) {
            left.entry(reason).or_default().insert(node.path.clone());
        }
    }
    let line = |(reason, paths): (&&str, &BTreeSet<Arc<str>>)| {
        let first = paths.first().map_or("", |p| p);
        format!("{} not folded (first: `{first}`): {reason}", paths.len())
    };
    left.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&FoldBatchNorm, include_str!("fold_batch_norm.rs"));
    }
}

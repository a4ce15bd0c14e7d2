//! Norms with the activation or sum directly before or after them.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f16[1,8,2,2]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f16[1,8,2,2] = gelu(%0)
//!   %4: f32[1,8,2,2] = cast(%3) {dtype = "f32"}
//!   %5: f32[1,8,2,2] = group_norm(%4, %1, %2) {eps = 1e-5, groups = 2}
//!   %6: f16[1,8,2,2] = cast(%5) {dtype = "f16"}
//!   %7: f16[1,8,4] = reshape(%6) {shape = [1, 8, 4]}
//!   output "y" = %7
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f16[1,8,2,2]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f16[1,8,2,2] = region(%0, %1, %2) {attributes = {activation = "gelu", norm = {eps = 1e-5, groups = 2}}, kind = "act_group_norm"} graph "act_group_norm" {
//!     input %0 "x": f16[1,8,2,2]
//!     input %1 "gamma": f32[8]
//!     input %2 "beta": f32[8]
//!     %3: f16[1,8,2,2] = gelu(%0)
//!     %4: f32[1,8,2,2] = cast(%3) {dtype = "f32"}
//!     %5: f32[1,8,2,2] = group_norm(%4, %1, %2) {eps = 1e-5, groups = 2}
//!     %6: f16[1,8,2,2] = cast(%5) {dtype = "f16"}
//!     output "out" = %6
//!   }
//!   %4: f16[1,8,4] = reshape(%3) {shape = [1, 8, 4]}
//!   output "y" = %4
//! }
//! ```
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[2,8]
//!   param %1 "gamma": f32[8]
//!   %2: f32[2,8] = gelu_tanh(%0)
//!   %3: f32[2,8] = layer_norm(%2, %1) {eps = 1e-5}
//!   output "y" = %3
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[2,8]
//!   param %1 "gamma": f32[8]
//!   %2: f32[2,8] = region(%0, %1) {attributes = {activation = "gelu_tanh", norm = {eps = 1e-5}}, kind = "act_layer_norm"} graph "act_layer_norm" {
//!     input %0 "x": f32[2,8]
//!     input %1 "gamma": f32[8]
//!     %2: f32[2,8] = gelu_tanh(%0)
//!     %3: f32[2,8] = layer_norm(%2, %1) {eps = 1e-5}
//!     output "out" = %3
//!   }
//!   output "y" = %2
//! }
//! ```

use mirage_ir::{
    GraphError, Node, NodeId, Operation, Source, ValueId,
    ops::{Binary, GroupNorm, LayerNorm, Unary},
    regions::{ActNorm, AddLayerNorm, GroupNormSilu, KnownRegion},
};
use mirage_pass::rewrite::{Patch, View};

use super::{
    Fusing,
    named::{Normed, activated, finish},
};

/// Matches silu(group_norm(x)).
pub(super) fn group_norm_silu(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some(inner) = view.unary(node.output(), Unary::Silu) else {
        return Ok(false);
    };
    if !fusing.wants(view.ty(node.output())) || !fusing.is_interior(view, inner) {
        return Ok(false);
    }
    let Some(normed) = Normed::<GroupNorm>::find(fusing, view, inner) else {
        return Ok(false);
    };
    let operands = [&[normed.x], normed.parameters].concat();
    let kind = GroupNormSilu { norm: *normed.norm };
    finish(fusing, view, id, &kind, &operands, patch)
}

/// Matches group_norm(activation(x)).
pub(super) fn act_group_norm(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    act_norm::<GroupNorm>(fusing, view, id, node, patch)
}

/// Matches layer_norm(activation(x)).
pub(super) fn act_layer_norm(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    act_norm::<LayerNorm>(fusing, view, id, node, patch)
}

fn act_norm<T: Operation>(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError>
where
    ActNorm<T>: KnownRegion,
{
    let out = node.output();
    let Some(normed) = Normed::<T>::find(fusing, view, out).filter(|_| fusing.wants(view.ty(out)))
    else {
        return Ok(false);
    };
    let Some((activation, x)) =
        activated(view, normed.x).filter(|_| fusing.is_interior(view, normed.x))
    else {
        return Ok(false);
    };
    let kind = ActNorm {
        activation,
        norm: normed.norm.clone(),
    };
    let operands = [&[x], normed.parameters].concat();
    finish(fusing, view, id, &kind, &operands, patch)
}

/// Matches layer_norm(a + b), where the sum may have other uses.
pub(super) fn add_layer_norm(
    fusing: &Fusing,
    view: &View,
    _id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some(&norm) = node.op.get::<LayerNorm>() else {
        return Ok(false);
    };
    let sum = node.inputs[0];
    let Some([a, b]) = view.binary(sum, Binary::Add) else {
        return Ok(false);
    };
    let Some((sum_node, _)) = view.node(sum) else {
        return Ok(false);
    };
    let fits = fusing.wants(view.ty(sum))
        && !fusing.prologue.is_fixed(sum)
        && !patch.is_replaced(sum)
        && view.ty(a) == view.ty(sum)
        && view.ty(b) == view.ty(sum)
        // The region replaces the sum, so the parameters must be defined before it.
        && node.inputs[1..].iter().all(|&p| stands_before(view, p, sum_node));
    if !fits {
        return Ok(false);
    }
    let operands = [&[a, b], &node.inputs[1..]].concat();
    let kind = AddLayerNorm { norm };
    let Some(outputs) = fusing.form(view, sum_node, &kind, &operands, patch)? else {
        return Ok(false);
    };
    patch.replace(sum, outputs[0])?;
    patch.replace(node.output(), outputs[1])?;
    Ok(true)
}

fn stands_before(view: &View, value: ValueId, id: NodeId) -> bool {
    match view.graph().value(value).source {
        Source::Node { node, .. } => node < id,
        _ => true,
    }
}

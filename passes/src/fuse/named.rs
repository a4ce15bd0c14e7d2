//! Regions of known kinds.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[2,8]
//!   input %1 "skip": f32[2,8]
//!   param %2 "w": f32[8,8]
//!   param %3 "b": f32[8]
//!   param %4 "gamma": f32[8]
//!   %5: f32[2,8] = linear(%0, %2, %3)
//!   %6: f32[2,8] = gelu(%5)
//!   %7: f32[2,8] = add(%6, %1)
//!   %8: f32[2,8] = layer_norm(%7, %4) {eps = 1e-5}
//!   output "y" = %8
//!   output "residual" = %7
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[2,8]
//!   input %1 "skip": f32[2,8]
//!   param %2 "w": f32[8,8]
//!   param %3 "b": f32[8]
//!   param %4 "gamma": f32[8]
//!   %5: f32[2,8] = region(%0, %2, %3) {attributes = {activation = "gelu", bias = true, op = {}, residual = false}, kind = "linear_act"} graph "linear_act" {
//!     input %0 "x": f32[2,8]
//!     input %1 "weight": f32[8,8]
//!     input %2 "bias": f32[8]
//!     %3: f32[2,8] = linear(%0, %1, %2)
//!     %4: f32[2,8] = gelu(%3)
//!     output "out" = %4
//!   }
//!   %6: f32[2,8], %7: f32[2,8] = region(%5, %1, %4) {attributes = {eps = 1e-5}, kind = "add_layer_norm"} graph "add_layer_norm" {
//!     input %0 "a": f32[2,8]
//!     input %1 "b": f32[2,8]
//!     input %2 "gamma": f32[8]
//!     %3: f32[2,8] = add(%0, %1)
//!     %4: f32[2,8] = layer_norm(%3, %2) {eps = 1e-5}
//!     output "sum" = %3
//!     output "normed" = %4
//!   }
//!   output "y" = %7
//!   output "residual" = %6
//! }
//! ```

use mirage_ir::{
    Attrs, GraphError, Node, NodeId, Operation, Source, ValueId,
    ops::{Binary, Cast, Conv, GroupNorm, LayerNorm, Linear, Unary},
    regions::Activation,
};
use mirage_pass::rewrite::{Patch, View};

use super::Fusing;

/// What forms a region at a node, if there is one to form.
type At = fn(&Fusing, &View, NodeId, &Node, &mut Patch) -> Result<bool, GraphError>;

/// Tries a pattern at every node.
pub(super) fn each_node(
    at: At,
    fusing: &Fusing,
    view: &View,
    patch: &mut Patch,
) -> Result<usize, GraphError> {
    let mut formed = 0;
    for (id, node) in view
        .graph()
        .iter()
        .filter(|(id, _)| fusing.live[id.index()])
    {
        formed += usize::from(at(fusing, view, id, node, patch)?);
    }
    Ok(formed)
}

/// x of cast(x), or the value itself.
fn before_cast(fusing: &Fusing, view: &View, value: ValueId) -> ValueId {
    match view.made_by::<Cast>(value) {
        Some((_, &[x])) if fusing.is_interior(view, value) => x,
        _ => value,
    }
}

/// silu(group_norm(x)), with casts around the norm where x is narrower than its parameters.
pub(super) fn group_norm_silu(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some(outer) = view.unary(node.output(), Unary::Silu) else {
        return Ok(false);
    };
    if !fusing.wants(view.ty(node.output())) || !fusing.is_interior(view, outer) {
        return Ok(false);
    }
    let normed = before_cast(fusing, view, outer);
    let Some((norm, &[inner, gamma, beta])) = view.made_by::<GroupNorm>(normed) else {
        return Ok(false);
    };
    if !fusing.is_interior(view, normed) {
        return Ok(false);
    }
    let x = if normed == outer {
        inner
    } else {
        before_cast(fusing, view, inner)
    };
    if view.ty(x).dtype != view.ty(outer).dtype {
        return Ok(false);
    }
    finish(
        fusing,
        view,
        id,
        node,
        norm.attrs(),
        &[x, gamma, beta],
        patch,
    )
}

/// Forms the region and lets its only output stand for the node's.
fn finish(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    attributes: Attrs,
    operands: &[ValueId],
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    match fusing.form(view, id, attributes, operands, patch)? {
        Some(outputs) => patch.replace(node.output(), outputs[0]).map(|()| true),
        None => Ok(false),
    }
}

/// A convolution with a residual, an activation or both.
pub(super) fn conv_act(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    product::<Conv>(fusing, view, id, node, patch)
}

/// A linear layer with a residual, an activation or both.
pub(super) fn linear_act(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    product::<Linear>(fusing, view, id, node, patch)
}

/// The activation that a node is, if it is one.
fn activation(node: &Node) -> Option<Activation> {
    Activation::of(*node.op.get::<Unary>()?)
}

fn product<T: Operation>(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let out = node.output();
    if !fusing.wants(view.ty(out)) || fusing.prologue.is_fixed(out) {
        return Ok(false);
    }
    let (act, inner) = match activation(node) {
        Some(act) if fusing.is_interior(view, node.inputs[0]) => (act, node.inputs[0]),
        Some(_) => return Ok(false),
        // A sum whose only taker is an activation is formed together with that one.
        None if taken_by_activation(fusing, view, out) => return Ok(false),
        None => (Activation::None, out),
    };
    let with_residual = view.either(inner, Binary::Add, |product, residual| {
        let is_product = view.made_by::<T>(product).is_some() && fusing.is_interior(view, product);
        (is_product && view.ty(residual) == view.ty(product)).then_some((product, Some(residual)))
    });
    let (value, residual) = match with_residual {
        Some(found) => found,
        None if act != Activation::None => (inner, None),
        None => return Ok(false),
    };
    let Some((op, operands)) = view.made_by::<T>(value) else {
        return Ok(false);
    };
    let mut attributes = Attrs::new();
    attributes.insert("op".into(), op.attrs().into());
    attributes.insert("bias".into(), (operands.len() == 3).into());
    attributes.insert("residual".into(), residual.is_some().into());
    let name = toml::Value::try_from(act).map_err(|e| internal(view, &e.to_string()))?;
    attributes.insert("activation".into(), name);
    let operands: Vec<ValueId> = operands.iter().copied().chain(residual).collect();
    finish(fusing, view, id, node, attributes, &operands, patch)
}

fn internal(view: &View, message: &str) -> GraphError {
    GraphError::Graph {
        graph: view.graph().name().to_owned(),
        message: message.to_owned(),
    }
}

fn taken_by_activation(fusing: &Fusing, view: &View, value: ValueId) -> bool {
    let takers = view.uses().users(value);
    fusing.is_interior(view, value)
        && takers
            .iter()
            .any(|&id| activation(view.graph().node(id)).is_some())
}

/// layer_norm(a + b), where the sum may have other takers too.
pub(super) fn add_layer_norm(
    fusing: &Fusing,
    view: &View,
    _id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some(norm) = node.op.get::<LayerNorm>() else {
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
        // The region stands where the sum stood, so the parameters must be there already.
        && node.inputs[1..].iter().all(|&p| stands_before(view, p, sum_node));
    if !fits {
        return Ok(false);
    }
    let operands = [&[a, b], &node.inputs[1..]].concat();
    let Some(outputs) = fusing.form(view, sum_node, norm.attrs(), &operands, patch)? else {
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

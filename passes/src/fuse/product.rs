//! Matrix products and convolutions with the residual and activation that follow them.
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
    GraphError, Node, NodeId, Operation, ValueId,
    ops::{Binary, Conv, Linear},
    regions::{Activation, KnownRegion, Product},
};
use mirage_pass::rewrite::{Patch, View};

use super::{
    Fusing,
    named::{ending, finish},
};

/// Matches a convolution with a residual, an activation or both.
pub(super) fn conv_act(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    product::<Conv>(fusing, view, id, node, patch)
}

/// Matches a linear layer with a residual, an activation or both.
pub(super) fn linear_act(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    product::<Linear>(fusing, view, id, node, patch)
}

fn product<T: Operation>(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError>
where
    Product<T>: KnownRegion,
{
    let out = node.output();
    if !fusing.wants(view.ty(out)) || fusing.prologue.is_fixed(out) {
        return Ok(false);
    }
    let Some((activation, inner)) = ending(fusing, view, node) else {
        return Ok(false);
    };
    let with_residual = view.either(inner, Binary::Add, |product, residual| {
        let is_product = view.made_by::<T>(product).is_some() && fusing.is_interior(view, product);
        (is_product && view.ty(residual) == view.ty(product)).then_some((product, Some(residual)))
    });
    let (value, residual) = match with_residual {
        Some(found) => found,
        None if activation != Activation::None => (inner, None),
        None => return Ok(false),
    };
    let Some((op, operands)) = view.made_by::<T>(value) else {
        return Ok(false);
    };
    let kind = Product {
        op: op.clone(),
        bias: operands.len() == 3,
        residual: residual.is_some(),
        activation,
    };
    let operands: Vec<ValueId> = operands.iter().copied().chain(residual).collect();
    finish(fusing, view, id, &kind, &operands, patch)
}

//! Matrix products and convolutions with a norm directly before or after them.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4,6,6]
//!   param %1 "w": f32[8,4,3,3]
//!   param %2 "b": f32[8]
//!   param %3 "gamma": f32[8]
//!   param %4 "beta": f32[8]
//!   %5: f32[1,8,6,6] = conv(%0, %1, %2) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
//!   %6: f32[1,8,6,6] = group_norm(%5, %3, %4) {eps = 1e-5, groups = 2}
//!   %7: f32[1,8,6,6] = silu(%6)
//!   output "y" = %7
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4,6,6]
//!   param %1 "w": f32[8,4,3,3]
//!   param %2 "b": f32[8]
//!   param %3 "gamma": f32[8]
//!   param %4 "beta": f32[8]
//!   %5: f32[1,8,6,6] = region(%0, %1, %2, %3, %4) {attributes = {activation = "silu", bias = true, norm = {eps = 1e-5, groups = 2}, op = {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}}, kind = "conv_norm_act"} graph "conv_norm_act" {
//!     input %0 "x": f32[1,4,6,6]
//!     input %1 "weight": f32[8,4,3,3]
//!     input %2 "bias": f32[8]
//!     input %3 "gamma": f32[8]
//!     input %4 "beta": f32[8]
//!     %5: f32[1,8,6,6] = conv(%0, %1, %2) {dilation = [1, 1], groups = 1, padding = [1, 1], stride = [1, 1]}
//!     %6: f32[1,8,6,6] = group_norm(%5, %3, %4) {eps = 1e-5, groups = 2}
//!     %7: f32[1,8,6,6] = silu(%6)
//!     output "out" = %7
//!   }
//!   output "y" = %5
//! }
//! ```
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f16[2,3,8]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   param %3 "w": f16[8,16]
//!   %4: f32[2,3,8] = cast(%0) {dtype = "f32"}
//!   %5: f32[2,3,8] = layer_norm(%4, %1, %2) {eps = 1e-5}
//!   %6: f16[2,3,8] = cast(%5) {dtype = "f16"}
//!   %7: f16[2,3,16] = linear(%6, %3)
//!   %8: f16[2,3,16] = gelu(%7)
//!   output "y" = %8
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f16[2,3,8]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   param %3 "w": f16[8,16]
//!   %4: f16[2,3,16] = region(%0, %1, %2, %3) {attributes = {activation = "gelu", beta = true, bias = false, norm = {eps = 1e-5}}, kind = "layer_norm_linear"} graph "layer_norm_linear" {
//!     input %0 "x": f16[2,3,8]
//!     input %1 "gamma": f32[8]
//!     input %2 "beta": f32[8]
//!     input %3 "weight": f16[8,16]
//!     %4: f32[2,3,8] = cast(%0) {dtype = "f32"}
//!     %5: f32[2,3,8] = layer_norm(%4, %1, %2) {eps = 1e-5}
//!     %6: f16[2,3,8] = cast(%5) {dtype = "f16"}
//!     %7: f16[2,3,16] = linear(%6, %3)
//!     %8: f16[2,3,16] = gelu(%7)
//!     output "out" = %8
//!   }
//!   output "y" = %4
//! }
//! ```

use mirage_ir::{
    GraphError, Node, NodeId,
    ops::{Conv, GroupNorm, LayerNorm, Linear},
    regions::{ConvNormAct, LayerNormLinear},
};
use mirage_pass::rewrite::{Patch, View};

use super::{
    Fusing,
    named::{Normed, ending, finish},
};

/// Matches group_norm(conv(x)), with an activation if there is one.
pub(super) fn conv_norm_act(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some((activation, inner)) = ending(fusing, view, node) else {
        return Ok(false);
    };
    let Some(normed) = Normed::<GroupNorm>::find(fusing, view, inner) else {
        return Ok(false);
    };
    let Some((conv, operands)) = view.made_by::<Conv>(normed.x) else {
        return Ok(false);
    };
    if !fusing.wants(view.ty(inner)) || !fusing.is_interior(view, normed.x) {
        return Ok(false);
    }
    let kind = ConvNormAct {
        op: conv.clone(),
        bias: operands.len() == 3,
        norm: *normed.norm,
        activation,
    };
    let operands = [operands, normed.parameters].concat();
    finish(fusing, view, id, &kind, &operands, patch)
}

/// Matches linear(layer_norm(x)), with an activation if there is one. The norm must have no other use:
/// it would be computed once for each.
pub(super) fn layer_norm_linear(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    let Some((activation, inner)) = ending(fusing, view, node) else {
        return Ok(false);
    };
    let Some((_, [value, product @ ..])) = view.made_by::<Linear>(inner) else {
        return Ok(false);
    };
    if !fusing.wants(view.ty(inner)) || !fusing.is_interior(view, *value) {
        return Ok(false);
    }
    let Some(normed) = Normed::<LayerNorm>::find(fusing, view, *value) else {
        return Ok(false);
    };
    let kind = LayerNormLinear {
        norm: *normed.norm,
        beta: normed.parameters.len() == 2,
        bias: product.len() == 2,
        activation,
    };
    let operands = [&[normed.x], normed.parameters, product].concat();
    finish(fusing, view, id, &kind, &operands, patch)
}

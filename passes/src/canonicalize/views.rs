//! Merges chains of permutes or reshapes into one, or into none if the chain restores its operand.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[2,3,4]
//!   %1: f32[3,2,4] = permute(%0) {axes = [1, 0, 2]}
//!   %2: f32[3,4,2] = permute(%1) {axes = [0, 2, 1]}
//!   %3: f32[12,2] = reshape(%2) {shape = [12, 2]}
//!   %4: f32[24] = reshape(%3) {shape = [24]}
//!   output "y" = %4
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[2,3,4]
//!   %1: f32[3,4,2] = permute(%0) {axes = [1, 2, 0]}
//!   %2: f32[24] = reshape(%1) {shape = [24]}
//!   output "y" = %2
//! }
//! ```
//! ```mirage before
//! graph "back" {
//!   input %0 "x": f32[2,3,4]
//!   %1: f32[2,4,3] = permute(%0) {axes = [0, 2, 1]}
//!   %2: f32[2,3,4] = permute(%1) {axes = [0, 2, 1]}
//!   %3: f32[2,3,4] = silu(%2)
//!   %4: f32[6,4] = reshape(%3) {shape = [6, 4]}
//!   %5: f32[2,3,4] = reshape(%4) {shape = [2, 3, 4]}
//!   output "y" = %5
//! }
//! ```
//! ```mirage after
//! graph "back" {
//!   input %0 "x": f32[2,3,4]
//!   %1: f32[2,3,4] = silu(%0)
//!   output "y" = %1
//! }
//! ```

use mirage_ir::{
    GraphError, Node, NodeId, ValueId,
    ops::{Permute, Reshape},
};
use mirage_pass::rewrite::{Patch, View};

use crate::permutes::{is_identity, unpermuted};

/// Merges permutes of permutes and reshapes of reshapes; removes those whose result is the operand.
pub(super) fn merge(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let (operand, out) = (node.inputs.first().copied(), node.output());
    if let (Some(outer), Some(operand)) = (node.op.get::<Permute>(), operand) {
        let (x, axes) = unpermuted(view, operand, outer.axes.clone());
        // If the memory order differs, the permute is a copy and has to stay.
        if is_identity(&axes) && view.ty(x) == view.ty(out) {
            return patch.replace(out, x);
        }
        if x != operand {
            let order = outer.order.clone();
            let merged = patch.at(id).op(Permute { axes, order }, &[x])?;
            return patch.replace(out, merged);
        }
    }
    if let (Some(outer), Some(operand)) = (node.op.get::<Reshape>(), operand) {
        let x = unreshaped(view, operand);
        if view.ty(x) == view.ty(out) {
            return patch.replace(out, x);
        }
        if x != operand {
            let merged = patch.at(id).op(outer.clone(), &[x])?;
            return patch.replace(out, merged);
        }
    }
    Ok(())
}

/// Returns the first operand of a chain of reshapes.
fn unreshaped(view: &View, mut value: ValueId) -> ValueId {
    while let Some((_, &[x])) = view.made_by::<Reshape>(value) {
        value = x;
    }
    value
}

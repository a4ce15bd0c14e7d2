//! Chains of views.
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

use mirage_ir::{
    GraphError, Node, NodeId,
    ops::{Permute, Reshape},
};
use mirage_pass::rewrite::{Patch, View};

/// A permute of a permute, or a reshape of a reshape, as one.
pub(super) fn merge(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    if let Some(outer) = node.op.get::<Permute>()
        && let Some((inner, &[x])) = view.made_by::<Permute>(node.inputs[0])
    {
        let axes = outer.axes.iter().map(|&a| inner.axes[a]).collect();
        let mut at = patch.at(id);
        let merged = at.op(
            Permute {
                axes,
                order: outer.order.clone(),
            },
            &[x],
        )?;
        return at.replace(node.output(), merged);
    }
    if let Some(outer) = node.op.get::<Reshape>()
        && let Some((_, &[x])) = view.made_by::<Reshape>(node.inputs[0])
    {
        let mut at = patch.at(id);
        let merged = at.op(outer.clone(), &[x])?;
        return at.replace(node.output(), merged);
    }
    Ok(())
}

//! Matrix products with a weight, and their biases.
//!
//! ```mirage before
//! graph "linear" {
//!   input %0 "x": f32[2,3,4]
//!   param %1 "weight": f32[4,8]
//!   param %2 "bias": f32[8]
//!   %3: f32[1,4,8] = reshape(%1) {shape = [1, 4, 8]}
//!   %4: f32[2,3,8] = matmul(%0, %3)
//!   %5: f32[1,1,8] = reshape(%2) {shape = [1, 1, 8]}
//!   %6: f32[2,3,8] = add(%4, %5)
//!   output "y" = %6
//! }
//! ```
//! ```mirage after
//! graph "linear" {
//!   input %0 "x": f32[2,3,4]
//!   param %1 "weight": f32[4,8]
//!   param %2 "bias": f32[8]
//!   %3: f32[2,3,8] = linear(%0, %1, %2)
//!   output "y" = %3
//! }
//! ```

use mirage_ir::{
    GraphError, Node, NodeId, Source, ValueId,
    ops::{Binary, Linear, Matmul, Reshape},
};
use mirage_pass::rewrite::{Patch, View};

/// The parameter behind a value, possibly through a reshape.
fn parameter(view: &View, value: ValueId) -> Option<ValueId> {
    let root = match view.made_by::<Reshape>(value) {
        Some((_, &[x])) => x,
        _ => value,
    };
    matches!(view.graph().value(root).source, Source::Param(_)).then_some(root)
}

/// Matches x·w where w is a matrix parameter, possibly with leading dimensions of 1.
pub(super) fn raise_linear(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let Some((_, &[x, w])) = view.made_by::<Matmul>(node.output()) else {
        return Ok(());
    };
    let Some(weight) = parameter(view, w) else {
        return Ok(());
    };
    let shape = &view.ty(w).shape;
    let matrix = &shape[shape.len() - 2..];
    let leading_ones = shape[..shape.len() - 2].iter().all(|&d| d == 1);
    if !leading_ones || view.ty(weight).shape != matrix || !view.ty(x).dtype.is_float() {
        return Ok(());
    }
    let mut at = patch.at(id);
    let raised = at.op(Linear {}, &[x, weight])?;
    at.replace(node.output(), raised)
}

/// Matches a vector parameter added to a linear layer without bias.
pub(super) fn absorb_bias(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let found = view.either(node.output(), Binary::Add, |product, bias| {
        let (_, &[x, w]) = view.made_by::<Linear>(product)? else {
            return None;
        };
        let vector = parameter(view, bias)?;
        let out = *view.ty(w).shape.last()?;
        let fits = view.ty(vector).shape == [out]
            && view.ty(bias).shape.last() == Some(&out)
            && view.ty(product).shape == view.ty(node.output()).shape
            && view.uses().is_single(product);
        fits.then_some([x, w, vector])
    });
    let Some(operands) = found else { return Ok(()) };
    let mut at = patch.at(id);
    let raised = at.op(Linear {}, &operands)?;
    at.replace(node.output(), raised)
}

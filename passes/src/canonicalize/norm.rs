//! Norms that are captured as their arithmetic.
//!
//! ```mirage before
//! graph "layer_norm" {
//!   input %0 "x": f32[2,3,8]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f32[2,3,1] = reduce_mean(%0) {dims = [2]}
//!   %4: f32[2,3,8] = sub(%0, %3)
//!   %5: f32[2,3,8] = square(%4)
//!   %6: f32[2,3,1] = reduce_mean(%5) {dims = [2]}
//!   %7: f32[2,3,1] = add_scalar(%6) {value = 1e-6}
//!   %8: f32[2,3,1] = sqrt(%7)
//!   %9: f32[2,3,8] = div(%4, %8)
//!   %10: f32[1,1,8] = reshape(%1) {shape = [1, 1, 8]}
//!   %11: f32[2,3,8] = mul(%9, %10)
//!   %12: f32[1,1,8] = reshape(%2) {shape = [1, 1, 8]}
//!   %13: f32[2,3,8] = add(%11, %12)
//!   output "y" = %13
//! }
//! ```
//! ```mirage after
//! graph "layer_norm" {
//!   input %0 "x": f32[2,3,8]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f32[2,3,8] = layer_norm(%0, %1, %2) {eps = 1e-6}
//!   output "y" = %3
//! }
//! ```
//!
//! The reshape to groups may have been merged with one before it; then the feature map is restored:
//!
//! ```mirage before
//! graph "group_norm" {
//!   input %0 "tokens": f32[1,8,4]
//!   %1: f32[1,2,16] = reshape(%0) {shape = [1, 2, 16]}
//!   %2: f32[1,2,1] = reduce_mean(%1) {dims = [2]}
//!   %3: f32[1,2,16] = sub(%1, %2)
//!   %4: f32[1,2,16] = square(%3)
//!   %5: f32[1,2,1] = reduce_mean(%4) {dims = [2]}
//!   %6: f32[1,2,1] = add_scalar(%5) {value = 1e-5}
//!   %7: f32[1,2,1] = sqrt(%6)
//!   %8: f32[1,2,16] = div(%3, %7)
//!   %9: f32[1,8,2,2] = reshape(%8) {shape = [1, 8, 2, 2]}
//!   output "y" = %9
//! }
//! ```
//! ```mirage after
//! graph "group_norm" {
//!   input %0 "tokens": f32[1,8,4]
//!   %1: f32[1,8,2,2] = reshape(%0) {shape = [1, 8, 2, 2]}
//!   %2: f32[1,8,2,2] = group_norm(%1) {eps = 1e-5, groups = 2}
//!   output "y" = %2
//! }
//! ```

use mirage_ir::{
    GraphError, Node, NodeId, ValueId,
    ops::{Binary, GroupNorm, LayerNorm, Reduce, ReduceFn, Reshape, Unary},
};
use mirage_pass::rewrite::{Patch, View};

/// Matches (x − mean)/√(variance + eps) over the last dimension.
struct Standardized {
    x: ValueId,
    eps: f64,
}

impl Standardized {
    fn find(view: &View, value: ValueId) -> Option<Self> {
        let last = view.ty(value).rank().checked_sub(1)?;
        let mean = |v: ValueId| {
            let (reduce, &[x]) = view.made_by::<Reduce>(v)? else {
                return None;
            };
            (reduce.f == ReduceFn::Mean && reduce.dims == [last]).then_some(x)
        };
        let [centred, deviation] = view.binary(value, Binary::Div)?;
        let (variance, eps) = view.scalar(view.unary(deviation, Unary::Sqrt)?, Binary::Add)?;
        if view.square(mean(variance)?)? != centred {
            return None;
        }
        let [x, m] = view.binary(centred, Binary::Sub)?;
        (mean(m)? == x).then_some(Standardized { x, eps })
    }
}

/// Returns the vector that a value broadcasts along `dim`: a reshape of `[C]` to `[1,…,C,…,1]`.
fn vector_along(view: &View, value: ValueId, dim: usize, len: usize) -> Option<ValueId> {
    let shape = &view.ty(value).shape;
    let fits = shape
        .iter()
        .enumerate()
        .all(|(d, &n)| n == if d == dim { len } else { 1 });
    let (_, &[vector]) = view.made_by::<Reshape>(value)? else {
        return None;
    };
    (fits && view.ty(vector).shape == [len]).then_some(vector)
}

/// Returns (value, gamma, beta) of value·gamma + beta, where both are vectors along `dim`.
fn scaled_and_shifted(
    view: &View,
    value: ValueId,
    dim: usize,
) -> Option<(ValueId, ValueId, ValueId)> {
    let len = *view.ty(value).shape.get(dim)?;
    view.either(value, Binary::Add, |product, shift| {
        let beta = vector_along(view, shift, dim, len)?;
        view.either(product, Binary::Mul, |x, scale| {
            Some((x, vector_along(view, scale, dim, len)?, beta))
        })
    })
}

/// A feature map standardized by groups: reshaped to `[B,G,rest]`, and back.
struct ByGroups {
    /// A value with the feature map's elements in the same sequence.
    x: ValueId,
    picture: Vec<usize>,
    norm: GroupNorm,
}

impl ByGroups {
    fn find(view: &View, value: ValueId) -> Option<Self> {
        let (_, &[flat]) = view.made_by::<Reshape>(value)? else {
            return None;
        };
        let Standardized { x: grouped, eps } = Standardized::find(view, flat)?;
        let (_, &[x]) = view.made_by::<Reshape>(grouped)? else {
            return None;
        };
        let (picture, groups) = (&view.ty(value).shape, &view.ty(grouped).shape);
        let fits = picture.len() >= 3
            && groups.len() == 3
            && groups[0] == picture[0]
            && groups[1] > 0
            && picture[1] % groups[1] == 0;
        let norm = GroupNorm {
            groups: groups[1],
            eps,
        };
        fits.then(|| ByGroups {
            x,
            picture: picture.clone(),
            norm,
        })
    }

    /// Replaces the node's result by the norm with these parameters.
    fn raise(
        self,
        id: NodeId,
        node: &Node,
        patch: &mut Patch,
        parameters: &[ValueId],
    ) -> Result<(), GraphError> {
        let mut at = patch.at(id);
        let x = if at.ty(self.x).shape == self.picture {
            self.x
        } else {
            at.op(Reshape::to(self.picture), &[self.x])?
        };
        let raised = at.op(self.norm, &[&[x], parameters].concat())?;
        at.replace(node.output(), raised)
    }
}

/// Matches a group norm with scale and shift.
pub(super) fn raise_group_norm(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let Some((inner, gamma, beta)) = scaled_and_shifted(view, node.output(), 1) else {
        return Ok(());
    };
    match ByGroups::find(view, inner) {
        Some(found) => found.raise(id, node, patch, &[gamma, beta]),
        None => Ok(()),
    }
}

/// Matches a group norm without parameters.
pub(super) fn raise_plain_group_norm(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    match ByGroups::find(view, node.output()) {
        Some(found) => found.raise(id, node, patch, &[]),
        None => Ok(()),
    }
}

/// Matches a layer norm with scale and shift.
pub(super) fn raise_layer_norm(
    view: &View,
    id: NodeId,
    node: &Node,
    patch: &mut Patch,
) -> Result<(), GraphError> {
    let Some(last) = view.ty(node.output()).rank().checked_sub(1) else {
        return Ok(());
    };
    let Some((inner, gamma, beta)) = scaled_and_shifted(view, node.output(), last) else {
        return Ok(());
    };
    let Some(Standardized { x, eps }) = Standardized::find(view, inner) else {
        return Ok(());
    };
    if !view.ty(x).is_row_major() {
        return Ok(());
    }
    let mut at = patch.at(id);
    let raised = at.op(LayerNorm { eps }, &[x, gamma, beta])?;
    at.replace(node.output(), raised)
}

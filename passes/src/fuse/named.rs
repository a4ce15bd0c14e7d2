//! Shared by the rules for named kinds of regions. Each family of kinds has a file.

use mirage_ir::{
    GraphError, Node, NodeId, Operation, ValueId,
    ops::{Cast, Unary},
    regions::{Activation, KnownRegion},
};
use mirage_pass::rewrite::{Patch, View};

use super::Fusing;

/// A pattern: forms a region at a node if it matches.
type At = fn(&Fusing, &View, NodeId, &Node, &mut Patch) -> Result<bool, GraphError>;

/// Applies a pattern to every node.
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

/// Forms the region and replaces the node's output by the region's only output.
pub(super) fn finish(
    fusing: &Fusing,
    view: &View,
    id: NodeId,
    kind: &impl KnownRegion,
    operands: &[ValueId],
    patch: &mut Patch,
) -> Result<bool, GraphError> {
    match fusing.form(view, id, kind, operands, patch)? {
        Some(outputs) => patch
            .replace(view.graph().node(id).output(), outputs[0])
            .map(|()| true),
        None => Ok(false),
    }
}

/// Returns the activation that a node computes, if any.
fn activation(node: &Node) -> Option<Activation> {
    Activation::of(*node.op.get::<Unary>()?)
}

/// Returns the activation that defines a value, and its operand.
pub(super) fn activated(view: &View, value: ValueId) -> Option<(Activation, ValueId)> {
    let (_, node) = view.node(value)?;
    Some((activation(node)?, node.inputs[0]))
}

/// Returns the activation that ends a region at this node and the value before it, which is the node's
/// own if there is no activation. `None` if another node ends the region or the value has other uses.
pub(super) fn ending(fusing: &Fusing, view: &View, node: &Node) -> Option<(Activation, ValueId)> {
    let out = node.output();
    match activated(view, out) {
        Some((act, inner)) => fusing.is_interior(view, inner).then_some((act, inner)),
        // If the only use is an activation, the region is formed at that one.
        None if taken_by_activation(fusing, view, out) => None,
        None => Some((Activation::None, out)),
    }
}

fn taken_by_activation(fusing: &Fusing, view: &View, value: ValueId) -> bool {
    let takers = view.uses().users(value);
    fusing.is_interior(view, value)
        && takers
            .iter()
            .any(|&id| activation(view.graph().node(id)).is_some())
}

/// A norm with the casts around it, if x is narrower than its parameters.
pub(super) struct Normed<'g, T> {
    pub(super) norm: &'g T,
    pub(super) x: ValueId,
    pub(super) parameters: &'g [ValueId],
}

impl<'g, T: Operation> Normed<'g, T> {
    /// Returns the norm that defines this value, if the values between have no other use.
    pub(super) fn find(fusing: &Fusing, view: &View<'g>, value: ValueId) -> Option<Self> {
        let cast = |v: ValueId| match view.made_by::<Cast>(v) {
            Some((_, &[from])) if fusing.is_interior(view, from) => Some(from),
            _ => None,
        };
        let wide = cast(value);
        let (norm, operands) = view.made_by::<T>(wide.unwrap_or(value))?;
        let (&operand, parameters) = operands.split_first()?;
        let x = match wide {
            Some(_) => match view.made_by::<Cast>(operand) {
                Some((_, &[x])) if fusing.is_interior(view, operand) => x,
                _ => return None,
            },
            None => operand,
        };
        (view.ty(x).dtype == view.ty(value).dtype).then_some(Normed {
            norm,
            x,
            parameters,
        })
    }
}

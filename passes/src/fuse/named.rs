//! What the rules for named kinds of regions share. Each family of kinds has a file.

use mirage_ir::{
    GraphError, Node, NodeId, Operation, ValueId,
    ops::{Cast, Unary},
    regions::{Activation, KnownRegion},
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

/// Forms the region and lets its only output stand for the node's.
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

/// The activation that a node is, if it is one.
fn activation(node: &Node) -> Option<Activation> {
    Activation::of(*node.op.get::<Unary>()?)
}

/// The activation that gives a value, and what it is applied to.
pub(super) fn activated(view: &View, value: ValueId) -> Option<(Activation, ValueId)> {
    let (_, node) = view.node(value)?;
    Some((activation(node)?, node.inputs[0]))
}

/// The activation that ends a region at this node, and the value before it: the node's own where it is
/// none. `None` where another node ends the region or the value before has other takers.
pub(super) fn ending(fusing: &Fusing, view: &View, node: &Node) -> Option<(Activation, ValueId)> {
    let out = node.output();
    match activated(view, out) {
        Some((act, inner)) => fusing.is_interior(view, inner).then_some((act, inner)),
        // A value whose only taker is an activation is formed together with that one.
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

/// A norm, with casts around it where x is narrower than its parameters, as a region has it.
pub(super) struct Normed<'g, T> {
    pub(super) norm: &'g T,
    pub(super) x: ValueId,
    pub(super) parameters: &'g [ValueId],
}

impl<'g, T: Operation> Normed<'g, T> {
    /// The norm that gives this value; whatever lies between x and the value may vanish into a region.
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

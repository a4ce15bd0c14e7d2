//! Evaluates nodes that depend on constants alone: those whose elements are all equal, and those of up to
//! 1024 elements. Removes operations that return their operand unchanged. Nodes that depend on parameters
//! belong to the prologue, which the backend computes once at compile.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   %1: f32[4] = full() {ty = "f32[4]", value = 2.0}
//!   %2: f32[4] = square(%1)
//!   %3: f32[1,4] = reshape(%2) {shape = [1, 4]}
//!   %4: f32[1,4] = add(%0, %3)
//!   %5: f32[1,4] = mul_scalar(%4) {value = 1.0}
//!   output "y" = %5
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   %1: f32[1,4] = full() {ty = "f32[1,4]", value = 4.0}
//!   %2: f32[1,4] = add(%0, %1)
//!   output "y" = %2
//! }
//! ```

use mirage_ir::{
    Graph, Node, Op, TensorType, ValueId,
    interp::{Elements, Tensor},
    ops::{
        Binary, Cast, Constant, Expand, Extern, Full, Permute, Region, Reorder, Reshape, Scalar,
        Slice, Unknown,
    },
};
use mirage_pass::{
    CLEANUP, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::{View, rewrite},
};

/// See the module.
pub(crate) struct FoldConstants;

static INFO: PassInfo = PassInfo {
    tags: &[CLEANUP],
    always: true,
    ..PassInfo::new(
        "fold_constants",
        1,
        "evaluates nodes that depend on constants alone; removes operations that return their operand",
        Phase::Simplify,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(FoldConstants);

impl Pass for FoldConstants {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let rewrites = rewrite(graph, |view, id, node, patch| {
            let [out] = node.outputs[..] else {
                return Ok(());
            };
            if let Some(x) = unchanged_by(view, node) {
                return patch.replace(out, x);
            }
            match folded(view, node, view.ty(out)) {
                Some(op) => {
                    let new = patch.at(id).op(op, &[])?;
                    patch.replace(out, new)
                }
                None => Ok(()),
            }
        })?;
        Ok(match rewrites {
            0 => Outcome::unchanged(
                "no node depends on constants alone, and none returns its operand unchanged",
            ),
            n => Outcome::changed(n),
        })
    }
}

/// Returns the operand that the node returns unchanged, bit for bit.
fn unchanged_by(view: &View, node: &Node) -> Option<ValueId> {
    let [x] = node.inputs[..] else { return None };
    let same = view.ty(x) == view.ty(node.output());
    let is_identity = if let Some((_, c)) = view.scalar(node.output(), Binary::Mul) {
        c == 1.0
    } else if let Some((_, c)) = view.scalar(node.output(), Binary::Div) {
        c == 1.0
    } else if let Some(permute) = node.op.get::<Permute>() {
        permute.axes.iter().enumerate().all(|(i, &a)| i == a)
    } else {
        node.op.is::<Cast>()
            || node.op.is::<Reshape>()
            || node.op.is::<Expand>()
            || node.op.is::<Reorder>()
            || node.op.is::<Slice>()
    };
    (same && is_identity).then_some(x)
}

/// Returns the constant that the node computes.
fn folded(view: &View, node: &Node, ty: &TensorType) -> Option<Op> {
    let is_opaque = node.op.is::<Extern>() || node.op.is::<Unknown>() || node.op.is::<Region>();
    if node.inputs.is_empty() || is_opaque {
        return None;
    }
    if let [x] = node.inputs[..]
        && let Some(value) = view.uniform(x)
        && (node.op.is::<Reshape>() || node.op.is::<Permute>() || node.op.is::<Expand>())
    {
        return Some(
            Full {
                ty: ty.clone(),
                value,
            }
            .into(),
        );
    }
    let operands: Vec<Tensor> = node
        .inputs
        .iter()
        .map(|&v| constant(view, v))
        .collect::<Option<_>>()?;
    if ty.numel() > Constant::MAX_ELEMENTS {
        return None;
    }
    let operands: Vec<&Tensor> = operands.iter().collect();
    let result = node.op.eval(&operands, std::slice::from_ref(ty)).ok()?;
    as_constant(&result[0], ty)
}

/// Returns the elements of a small constant.
fn constant(view: &View, value: ValueId) -> Option<Tensor> {
    let ty = view.ty(value);
    if ty.numel() > Constant::MAX_ELEMENTS {
        return None;
    }
    let values: Vec<Scalar> = match view.made_by::<Constant>(value) {
        Some((constant, _)) => constant.values.clone(),
        None => vec![view.uniform(value)?; ty.numel()],
    };
    Tensor::from_scalars(ty, &values).ok()
}

fn as_constant(tensor: &Tensor, ty: &TensorType) -> Option<Op> {
    let values: Vec<Scalar> = match tensor.elements() {
        Elements::Float(v) => v.iter().map(|&x| Scalar::Float(x)).collect(),
        Elements::Int(v) => v.iter().map(|&x| Scalar::Int(x)).collect(),
        Elements::Bool(v) => v.iter().map(|&x| Scalar::Bool(x)).collect(),
    };
    match values.first() {
        Some(&value) if values.iter().all(|&v| v == value) => Some(
            Full {
                ty: ty.clone(),
                value,
            }
            .into(),
        ),
        Some(_) if ty.order.is_row_major() => Some(
            Constant {
                ty: ty.clone(),
                values,
            }
            .into(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&FoldConstants, include_str!("fold_constants.rs"));
    }
}

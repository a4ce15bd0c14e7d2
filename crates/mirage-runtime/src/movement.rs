//! Operations that move elements: where each element of the result is read.

use mirage_ir::{
    TensorType,
    ops::{Expand, Permute, Reorder, Reshape, Slice},
};

use crate::NodeContext;

/// The result's elements in the sequence of its memory, as elements of the operand's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The index of the first element.
    pub start: usize,
    /// Sizes and steps of the dimensions, outermost first.
    pub dimensions: Vec<(usize, usize)>,
}

impl Movement {
    /// The movement of a permutation, reorder, expansion, slice or reshape. `None` for other nodes, and for a
    /// reshape where neither side is row-major.
    pub fn of(cx: &NodeContext<'_>) -> Option<Self> {
        let (x, out) = (cx.inputs.first()?, cx.outputs.first()?);
        let op = &cx.node.op;
        let own = x.strides();
        let (start, steps) = if let Some(op) = op.get::<Permute>() {
            (0, op.axes.iter().map(|&a| own[a]).collect())
        } else if op.is::<Reorder>() {
            (0, own)
        } else if op.is::<Expand>() {
            // Dimensions are added in front.
            let new = out.rank() - x.rank();
            let step = |d: usize| match d.checked_sub(new) {
                Some(d) if x.shape[d] != 1 => own[d],
                _ => 0,
            };
            (0, (0..out.rank()).map(step).collect())
        } else if let Some(op) = op.get::<Slice>() {
            let start = op.start.iter().zip(&own).map(|(s, o)| s * o).sum();
            let steps = op.step.iter().zip(&own).map(|(s, o)| s * o);
            (start, steps.collect())
        } else {
            let dimensions = op.is::<Reshape>().then(|| reshape(x, out))??;
            return Some(Movement {
                start: 0,
                dimensions,
            });
        };
        Some(Movement {
            start,
            dimensions: in_memory(out, &steps),
        })
    }

    /// Calls `each` with the index that every element of the result is read at.
    pub fn indices(&self, mut each: impl FnMut(usize)) {
        walk(&self.dimensions, self.start, &mut each);
    }
}

fn walk(dimensions: &[(usize, usize)], at: usize, each: &mut impl FnMut(usize)) {
    match dimensions {
        [] => each(at),
        [(size, step), inner @ ..] => (0..*size).for_each(|i| walk(inner, at + i * step, each)),
    }
}

/// A size and a step for each physical dimension of `out`, out of steps by logical dimension.
fn in_memory(out: &TensorType, steps: &[usize]) -> Vec<(usize, usize)> {
    out.order.dims().map(|d| (out.shape[d], steps[d])).collect()
}

/// A reshape that moves elements, where one side is row-major.
fn reshape(x: &TensorType, out: &TensorType) -> Option<Vec<(usize, usize)>> {
    if out.is_row_major() {
        return Some(x.shape.iter().copied().zip(x.strides()).collect());
    }
    let steps = TensorType::new(out.dtype, &out.shape[..]).strides();
    x.is_row_major().then(|| in_memory(out, &steps))
}

//! Assignment to a part of a tensor.

use std::ops::Range;

use burn_ir::SliceAssignOpIr;
use mirage_ir::ops::{Concat, Slice};

use super::{Refusal, Rule, Sketch, sketch::Val};

/// Replaces a block of a tensor: concatenates what is before the block, the block, and what is after it,
/// dimension by dimension. Blocks with a step other than 1 have no translation.
pub(super) fn slice_assign(op: &SliceAssignOpIr, s: &mut Sketch) -> Rule {
    let (x, value) = (s.x(&op.tensor)?, s.x(&op.value)?);
    let shape = s.ty(x).shape.clone();
    let mut block: Vec<Range<usize>> = shape.iter().map(|&d| 0..d).collect();
    for (d, range) in op.ranges.iter().enumerate() {
        if range.step != 1 {
            return Err(Refusal::NoRule);
        }
        block[d] = range.to_range(shape[d]);
    }
    let lengths: Vec<usize> = block
        .iter()
        .map(|r| r.end.saturating_sub(r.start))
        .collect();
    if lengths != s.ty(value).shape {
        return Err(Refusal::NoRule);
    }
    let y = assign(s, x, &block, 0, value)?;
    s.bind(&op.out, y)
}

/// Replaces `block` of `x` by `value`; they agree in the dimensions before `from`.
fn assign(s: &mut Sketch, x: Val, block: &[Range<usize>], from: usize, value: Val) -> Rule<Val> {
    let shape = s.ty(x).shape.clone();
    let Some(d) = (from..shape.len()).find(|&d| block[d] != (0..shape[d])) else {
        return Ok(value);
    };
    let part = |s: &mut Sketch, range: Range<usize>| {
        let (mut start, mut end) = (vec![0; shape.len()], shape.clone());
        (start[d], end[d]) = (range.start, range.end);
        s.op(
            Slice {
                start,
                end,
                step: vec![1; shape.len()],
            },
            &[x],
        )
    };
    let whole_beyond = (d + 1..shape.len()).all(|d| block[d] == (0..shape[d]));
    let mut parts = Vec::with_capacity(3);
    if block[d].start > 0 {
        parts.push(part(s, 0..block[d].start)?);
    }
    parts.push(if whole_beyond {
        value
    } else {
        let middle = part(s, block[d].clone())?;
        assign(s, middle, block, d + 1, value)?
    });
    if block[d].end < shape[d] {
        parts.push(part(s, block[d].end..shape[d])?);
    }
    s.op(Concat { dim: d }, &parts)
}

//! Elements moved: permutations, reorders, repetitions, slices, and tensors one after the other.
//! Only a static plan takes these; the generic executor has views instead.

use mirage_ir::{
    DType, TensorType,
    ops::{Concat, Expand, Permute, Reorder, Reshape, Slice},
};
use mirage_runtime::{
    NodeContext,
    planned::{HostKernel, Operand},
};
use rayon::prelude::*;

use super::{
    elementwise::Walk,
    memory::{WORTH_DIVIDING, threads},
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let (x, out) = (cx.inputs.first()?, &cx.outputs[0]);
    let floats = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !floats || out.dtype != DType::F32 || out.numel() == 0 {
        return None;
    }
    let op = &cx.node.op;
    if let Some(op) = op.get::<Concat>() {
        return Some(concat(cx.place(op.dim), &cx.inputs, out));
    }
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
        (
            start,
            op.step.iter().zip(&own).map(|(s, o)| s * o).collect(),
        )
    } else {
        return op.is::<Reshape>().then(|| reshape(x, out)).flatten();
    };
    Some(gather(start, dimensions(out, &steps)))
}

/// A size and a step for each physical dimension of `out`, out of steps by logical dimension.
fn dimensions(out: &TensorType, steps: &[usize]) -> Vec<(usize, usize)> {
    out.order.dims().map(|d| (out.shape[d], steps[d])).collect()
}

/// A reshape that moves elements, where one side is row-major.
fn reshape(x: &TensorType, out: &TensorType) -> Option<HostKernel> {
    if out.is_row_major() {
        let logical = x.shape.iter().copied().zip(x.strides()).collect();
        return Some(gather(0, logical));
    }
    let steps = TensorType::new(out.dtype, &out.shape[..]).strides();
    x.is_row_major().then(|| gather(0, dimensions(out, &steps)))
}

/// The result's elements in sequence, read with a step along each of its dimensions.
fn gather(start: usize, dimensions: Vec<(usize, usize)>) -> HostKernel {
    let walk = Walk::of(
        dimensions
            .into_iter()
            .map(|(size, step)| (size, vec![step])),
    );
    HostKernel::new(move |x, mut space| {
        let (x, out) = (&x[0].floats()[start..], space.result());
        let part = out.len().div_ceil(3 * threads());
        let one = |(i, out): (usize, &mut [f32])| walk.gather(0, x, i * part, out, |x| x);
        if out.len() < WORTH_DIVIDING {
            one((0, out));
        } else {
            out.par_chunks_mut(part).enumerate().for_each(one);
        }
    })
}

/// Operands one after the other along physical dimension `place`.
fn concat(place: usize, operands: &[TensorType], out: &TensorType) -> HostKernel {
    let run = |ty: &TensorType| ty.physical_shape()[place..].iter().product::<usize>();
    let runs: Vec<usize> = operands.iter().map(run).collect();
    let line = run(out);
    HostKernel::new(move |x, mut space| {
        let one = |(i, mut out): (usize, &mut [f32])| {
            for (&run, x) in runs.iter().zip(x) {
                let (now, later) = out.split_at_mut(run);
                now.copy_from_slice(&Operand::floats(*x)[i * run..][..run]);
                out = later;
            }
        };
        let out = space.result();
        if out.len() < WORTH_DIVIDING {
            out.chunks_mut(line).enumerate().for_each(one);
        } else {
            let share = (out.len() / line).div_ceil(3 * threads());
            let lines = out.par_chunks_mut(line).with_min_len(share);
            lines.enumerate().for_each(one);
        }
    })
}

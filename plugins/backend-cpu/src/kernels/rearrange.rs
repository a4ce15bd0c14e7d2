//! Operations that move elements: permute, reorder, expand, slice, concat.
//! Only for a static plan; the slots mode has views instead.

use mirage_ir::{DType, TensorType, ops::Concat};
use mirage_runtime::{
    Movement, NodeContext,
    planned::{HostKernel, Operand},
};
use rayon::prelude::*;

use super::{
    elementwise::Walk,
    memory::{WORTH_DIVIDING, threads},
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let out = &cx.outputs[0];
    let floats = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !floats || out.dtype != DType::F32 || out.numel() == 0 {
        return None;
    }
    let op = &cx.node.op;
    if let Some(op) = op.get::<Concat>() {
        return Some(concat(cx.place(op.dim), &cx.inputs, out));
    }
    Movement::of(cx).map(gather)
}

/// Reads the result's elements in sequence, with a stride along each of its dimensions.
fn gather(Movement { start, dimensions }: Movement) -> HostKernel {
    let dimensions = dimensions.into_iter();
    let walk = Walk::of(dimensions.map(|(size, step)| (size, vec![step])));
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

/// Concatenates operands along physical dimension `place`.
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

//! Batch norm with given statistics: a scale and a shift of each channel, in both memory orders.

use mirage_ir::{DType, Order, ops::BatchNorm, regions::Activation, same_layout};
use mirage_runtime::{NodeContext, planned::HostKernel};
use rayon::prelude::*;

use super::{
    channels::{Interleaved, Line, Plane},
    memory::{WORTH_DIVIDING, threads},
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let op = *cx.node.op.get::<BatchNorm>()?;
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    let all_f32 = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !all_f32 || x.numel() == 0 || !x.same_memory(out) {
        return None;
    }
    let last = same_layout(&x.shape, &x.order, &Order::channels_last(x.rank()));
    if !last && !x.is_row_major() {
        return None;
    }
    let channels = x.shape[1];
    let places: usize = x.shape[2..].iter().product();
    let compute = HostKernel::new(move |x, mut space| {
        let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(|i| x[i].floats());
        let line = |c: usize| Line {
            mean: mean[c],
            scale: (f64::from(gamma[c]) / (f64::from(variance[c]) + op.eps).sqrt()) as f32,
            beta: beta[c],
        };
        let x = x[0].floats_unless_in_result();
        if last {
            let lines = &mut *space.workspace;
            for c in 0..channels {
                let line = line(c);
                lines[c] = line.mean;
                lines[channels + c] = line.scale;
                lines[2 * channels + c] = line.beta;
            }
            interleaved(x, lines, channels, space.results[0]);
        } else {
            planes(x, |i| line(i % channels), places, space.result());
        }
    });
    // Means, scales and shifts of all channels.
    let workspace = if last { 3 * channels } else { 0 };
    Some(compute.in_place([0]).with_workspace(workspace))
}

/// A plane for each channel of each image.
fn planes(x: Option<&[f32]>, line: impl Fn(usize) -> Line + Sync, places: usize, out: &mut [f32]) {
    let one = |(i, out): (usize, &mut [f32])| {
        dispatch(Plane {
            x: x.map(|x| &x[i * places..][..places]),
            line: line(i),
            activation: Activation::None,
            out,
        });
    };
    if out.len() < WORTH_DIVIDING {
        out.chunks_mut(places).enumerate().for_each(one);
    } else {
        let share = (out.len() / places).div_ceil(3 * threads());
        let all = out.par_chunks_mut(places).with_min_len(share);
        all.enumerate().for_each(one);
    }
}

/// Channels innermost.
fn interleaved(x: Option<&[f32]>, lines: &[f32], channels: usize, out: &mut [f32]) {
    let (means, rest) = lines.split_at(channels);
    let (scales, betas) = rest.split_at(channels);
    let part = (out.len() / channels).div_ceil(3 * threads()) * channels;
    let one = |(i, out): (usize, &mut [f32])| {
        dispatch(Interleaved {
            x: x.map(|x| &x[i * part..][..out.len()]),
            means,
            scales,
            betas,
            activation: Activation::None,
            out,
        });
    };
    if out.len() < WORTH_DIVIDING {
        out.chunks_mut(part).enumerate().for_each(one);
    } else {
        out.par_chunks_mut(part).enumerate().for_each(one);
    }
}

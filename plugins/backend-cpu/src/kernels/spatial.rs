//! Maximum pooling and resampling over two dimensions, in both memory orders.

use mirage_ir::{
    DType, Order, TensorType,
    ops::{MaxPool, Resize},
    same_layout,
};
use mirage_runtime::{NodeContext, planned::HostKernel};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    memory::{Scratch, WORTH_DIVIDING, threads},
    vector::dispatch,
};

/// For each element along one dimension of the result: the input elements and their
/// weights.
type Taps = Vec<Vec<(usize, f32)>>;

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let (x, out) = (cx.inputs.first()?, &cx.outputs[0]);
    if x.rank() != 4 || x.dtype != DType::F32 || out.numel() == 0 {
        return None;
    }
    let lie = |fits: fn(&TensorType) -> bool| fits(x) && fits(out);
    let last = lie(|t| same_layout(&t.shape, &t.order, &Order::channels_last(4)));
    if !last && !lie(TensorType::is_row_major) {
        return None;
    }
    let (taps, combine) = taps(cx, x, out)?;
    let [rows, columns] = taps;
    // Channels last is one plane of elements of `group` floats.
    let (planes, group) = if last {
        (x.shape[0], x.shape[1])
    } else {
        (x.shape[0] * x.shape[1], 1)
    };
    let window = Window {
        planes,
        group,
        from: [x.shape[2], x.shape[3]],
        rows,
        columns,
        combine,
    };
    Some(HostKernel::new(move |x, mut space| {
        window.run(x[0].floats(), space.result());
    }))
}

/// How input elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Combine {
    /// The maximum; NaN if any is NaN. Ignores weights.
    Largest,
    /// The weighted sum.
    Sum,
}

fn taps(cx: &NodeContext<'_>, x: &TensorType, out: &TensorType) -> Option<([Taps; 2], Combine)> {
    if let Some(op) = cx.node.op.get::<MaxPool>() {
        let along = |d: usize| -> Taps {
            let element = |o: usize| {
                let inside =
                    |k: usize| (o * op.stride[d] + k * op.dilation[d]).checked_sub(op.padding[d]);
                let within = (0..op.kernel[d]).filter_map(inside);
                let within = within.filter(|&i| i < x.shape[2 + d]);
                within.map(|i| (i, 1.0)).collect()
            };
            (0..out.shape[2 + d]).map(element).collect()
        };
        return Some(([along(0), along(1)], Combine::Largest));
    }
    let op = cx.node.op.get::<Resize>()?;
    let along = |d: usize| -> Taps {
        let (n, m) = (x.shape[2 + d], op.size[d]);
        let element = |o| op.taps(o, n, m).into_iter().map(|(i, w)| (i, w as f32));
        (0..m).map(|o| element(o).collect()).collect()
    };
    Some(([along(0), along(1)], Combine::Sum))
}

struct Window {
    planes: usize,
    /// Floats of an element.
    group: usize,
    from: [usize; 2],
    rows: Taps,
    columns: Taps,
    combine: Combine,
}

impl Window {
    fn run(&self, x: &[f32], out: &mut [f32]) {
        let line = self.columns.len() * self.group;
        let count = self.planes * self.rows.len();
        let share = count.div_ceil(3 * threads());
        let one = |(i, out): (usize, &mut [f32])| {
            dispatch(Lines {
                window: self,
                x,
                first: i * share,
                out,
            });
        };
        if out.len() < WORTH_DIVIDING {
            out.chunks_mut(share * line).enumerate().for_each(one);
        } else {
            out.par_chunks_mut(share * line).enumerate().for_each(one);
        }
    }
}

/// Computes some lines of the result.
struct Lines<'a> {
    window: &'a Window,
    x: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

impl WithSimd for Lines<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let w = self.window;
        let from = w.from[1] * w.group;
        let mut scratch = Scratch::new(0, from);
        let combined = scratch.elements();
        for (i, out) in self
            .out
            .chunks_exact_mut(w.columns.len() * w.group)
            .enumerate()
        {
            let line = self.first + i;
            let (plane, row) = (line / w.rows.len(), line % w.rows.len());
            let plane = &self.x[plane * w.from[0] * from..][..w.from[0] * from];
            let taps = w.rows[row].iter();
            w.combine(
                combined,
                taps.map(|&(y, weight)| (&plane[y * from..][..from], weight)),
            );
            for (out, taps) in out.chunks_exact_mut(w.group).zip(&w.columns) {
                let element =
                    |&(x, weight): &(usize, f32)| (&combined[x * w.group..][..w.group], weight);
                w.combine(out, taps.iter().map(element));
            }
        }
    }
}

impl Window {
    #[inline(always)]
    fn combine<'a>(&self, out: &mut [f32], parts: impl Iterator<Item = (&'a [f32], f32)>) {
        for (i, (part, weight)) in parts.enumerate() {
            let pairs = out.iter_mut().zip(part);
            match (self.combine, i) {
                (Combine::Largest, 0) => pairs.for_each(|(out, x)| *out = *x),
                (Combine::Largest, _) => pairs.for_each(|(out, x)| *out = larger(*out, *x)),
                (Combine::Sum, 0) => pairs.for_each(|(out, x)| *out = weight * x),
                (Combine::Sum, _) => pairs.for_each(|(out, x)| *out += weight * x),
            }
        }
    }
}

/// Returns the larger; NaN if one is NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

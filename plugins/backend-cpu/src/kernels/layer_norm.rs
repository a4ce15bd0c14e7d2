//! Layer norm, alone and of a sum that is also a result.

use mirage_ir::{
    DType,
    ops::LayerNorm,
    regions::{AddLayerNorm, KnownRegion},
};
use mirage_runtime::{NodeContext, planned::HostKernel};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    memory::{WORTH_DIVIDING, threads},
    reduce::Moments,
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let (op, adds) = match AddLayerNorm::of_region(&cx.node.op) {
        Some(region) => (region.norm, true),
        None => (*cx.node.op.get::<LayerNorm>()?, false),
    };
    let x = &cx.inputs[0];
    let operands = if adds { 2 } else { 1 };
    let plain = |i: usize| cx.inputs[i].shape == x.shape && cx.inputs[i].is_row_major();
    let all_f32 = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !all_f32 || x.numel() == 0 || !(0..operands).all(plain) {
        return None;
    }
    let width = x.shape[x.rank() - 1];
    let has_beta = cx.inputs.len() == operands + 2;
    let compute = HostKernel::new(move |x, space| {
        let norm = Norm {
            eps: op.eps,
            width,
            gamma: x[operands].floats(),
            beta: has_beta.then(|| x[operands + 1].floats()),
        };
        match space.results {
            [sum, normed] => norm.run_of_sum(
                x[0].floats_unless_in_result(),
                x[1].floats_unless_in_result(),
                sum,
                normed,
            ),
            [normed, ..] => norm.run(x[0].floats_unless_in_result(), normed),
            [] => {}
        }
    });
    // With a sum, the sum is the first result.
    Some(compute.in_place(0..operands))
}

struct Norm<'a> {
    eps: f64,
    width: usize,
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
}

impl Norm<'_> {
    /// Normalizes the rows of `x` into `out`; in place if there is no `x`.
    fn run(&self, x: Option<&[f32]>, out: &mut [f32]) {
        let part = self.part(out.len());
        let one = |(i, out): (usize, &mut [f32])| {
            let x = x.map(|x| &x[i * part..][..out.len()]);
            dispatch(Rows { norm: self, x, out });
        };
        if out.len() < WORTH_DIVIDING {
            out.chunks_mut(part).enumerate().for_each(one);
        } else {
            let parts = out.par_chunks_mut(part).with_max_len(1);
            parts.enumerate().for_each(one);
        }
    }

    /// Computes `sum` = `a` + `b`, in place of one of them if needed, and `out` = the norm of its rows.
    fn run_of_sum(&self, a: Option<&[f32]>, b: Option<&[f32]>, sum: &mut [f32], out: &mut [f32]) {
        let part = self.part(out.len());
        let one = |(i, (sum, out)): (usize, (&mut [f32], &mut [f32]))| {
            let [a, b] = [a, b].map(|x| x.map(|x| &x[i * part..][..out.len()]));
            dispatch(SumRows {
                norm: self,
                a,
                b,
                sum,
                out,
            });
        };
        if out.len() < WORTH_DIVIDING {
            let pairs = sum.chunks_mut(part).zip(out.chunks_mut(part));
            pairs.enumerate().for_each(one);
        } else {
            let pairs = sum.par_chunks_mut(part).zip(out.par_chunks_mut(part));
            pairs.with_max_len(1).enumerate().for_each(one);
        }
    }

    /// Returns the number of elements, in whole rows, of a thread's part.
    fn part(&self, len: usize) -> usize {
        (len / self.width).div_ceil(3 * threads()) * self.width
    }
}

/// Normalizes some rows.
struct Rows<'a> {
    norm: &'a Norm<'a>,
    x: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let width = self.norm.width;
        for (i, out) in self.out.chunks_exact_mut(width).enumerate() {
            if let Some(x) = self.x {
                out.copy_from_slice(&x[i * width..][..width]);
            }
            self.norm.row(out);
        }
    }
}

/// Normalizes some rows of a sum.
struct SumRows<'a> {
    norm: &'a Norm<'a>,
    a: Option<&'a [f32]>,
    b: Option<&'a [f32]>,
    sum: &'a mut [f32],
    out: &'a mut [f32],
}

impl WithSimd for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let width = self.norm.width;
        let rows = self.sum.chunks_exact_mut(width);
        for (i, (sum, out)) in rows.zip(self.out.chunks_exact_mut(width)).enumerate() {
            let [a, b] = [self.a, self.b].map(|x| x.map(|x| &x[i * width..][..width]));
            match (a, b) {
                (Some(a), Some(b)) => {
                    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
                        *sum = a + b;
                    }
                }
                (Some(x), None) | (None, Some(x)) => {
                    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
                }
                // An operand that is used twice is never in the memory of the result.
                (None, None) => {}
            }
            out.copy_from_slice(sum);
            self.norm.row(out);
        }
    }
}

impl Norm<'_> {
    #[inline(always)]
    fn row(&self, out: &mut [f32]) {
        let moments = Moments::of(out);
        let (mean, factor) = (
            moments.mean as f32,
            moments.inverse_deviation(self.eps) as f32,
        );
        match self.beta {
            Some(beta) => {
                for ((x, gamma), beta) in out.iter_mut().zip(self.gamma).zip(beta) {
                    *x = (*x - mean) * factor * gamma + beta;
                }
            }
            None => {
                for (x, gamma) in out.iter_mut().zip(self.gamma) {
                    *x = (*x - mean) * factor * gamma;
                }
            }
        }
    }
}

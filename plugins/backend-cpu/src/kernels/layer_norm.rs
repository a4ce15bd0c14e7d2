//! Layer norm, alone and of a sum that is kept.

use std::sync::Arc;

use burn_flex::Flex;
use mirage_backend::burn::{Kernel, NodeContext};
use mirage_ir::{
    DType,
    ops::{LayerNorm, Region},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    memory::{Pool, WORTH_DIVIDING, elements, in_sequence, tensor, threads},
    reduce::Moments,
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_, Flex>, pool: &Arc<Pool>) -> Option<Kernel<Flex>> {
    let (op, adds) = match cx.node.op.get::<Region>() {
        Some(region) if region.kind == "add_layer_norm" => {
            let op: LayerNorm = region.attributes.clone().try_into().ok()?;
            (op, true)
        }
        _ => (*cx.node.op.get::<LayerNorm>()?, false),
    };
    let x = &cx.inputs[0];
    let operands = if adds { 2 } else { 1 };
    let plain = |i: usize| cx.inputs[i].shape == x.shape && cx.inputs[i].is_row_major();
    let all_f32 = cx.inputs.iter().all(|t| t.dtype == DType::F32);
    if !all_f32 || x.numel() == 0 || !(0..operands).all(plain) {
        return None;
    }
    let width = x.shape[x.rank() - 1];
    let (shape, len, pool) = (x.shape.clone(), x.numel(), pool.clone());
    let has_beta = cx.inputs.len() == operands + 2;
    Some(Box::new(move |args| {
        let a = in_sequence(args.float(0));
        let b = adds.then(|| in_sequence(args.float(1)));
        let gamma = in_sequence(args.float(operands));
        let beta = has_beta.then(|| in_sequence(args.float(operands + 1)));
        let norm = Norm {
            eps: op.eps,
            width,
            gamma: elements(&gamma),
            beta: beta.as_ref().map(elements),
        };
        let mut normed = pool.take(len);
        match b {
            None => norm.run(elements(&a), None, &mut normed),
            Some(b) => {
                let mut sum = pool.take(len);
                norm.run(elements(&a), Some((elements(&b), &mut sum)), &mut normed);
                pool.give(b);
                args.set(0, tensor(sum, &shape));
            }
        }
        pool.give(a);
        args.set(usize::from(adds), tensor(normed, &shape));
        Ok(())
    }))
}

struct Norm<'a> {
    eps: f64,
    width: usize,
    gamma: &'a [f32],
    beta: Option<&'a [f32]>,
}

impl Norm<'_> {
    /// `out` = the norm of the rows of `a`, or of `sum` = `a` + `b`.
    fn run(&self, a: &[f32], sum: Option<(&[f32], &mut [f32])>, out: &mut [f32]) {
        let rows = (out.len() / self.width).div_ceil(3 * threads());
        let part = rows * self.width;
        let mut tasks: Vec<Rows<'_>> = a
            .chunks(part)
            .zip(out.chunks_mut(part))
            .map(|(a, out)| Rows {
                norm: self,
                a,
                sum: None,
                out,
            })
            .collect();
        let divided = a.len() >= WORTH_DIVIDING;
        if let Some((b, sum)) = sum {
            let sums = b.chunks(part).zip(sum.chunks_mut(part));
            for (task, sum) in tasks.iter_mut().zip(sums) {
                task.sum = Some(sum);
            }
        }
        if divided {
            tasks.into_par_iter().with_max_len(1).for_each(dispatch);
        } else {
            tasks.into_iter().for_each(dispatch);
        }
    }
}

/// Some rows.
struct Rows<'a> {
    norm: &'a Norm<'a>,
    a: &'a [f32],
    /// The second addend, and where the sum goes.
    sum: Option<(&'a [f32], &'a mut [f32])>,
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let width = self.norm.width;
        let outs = self.out.chunks_exact_mut(width);
        match self.sum {
            None => {
                for (x, out) in self.a.chunks_exact(width).zip(outs) {
                    self.norm.row(x, out);
                }
            }
            Some((b, sum)) => {
                let rows = self.a.chunks_exact(width).zip(b.chunks_exact(width));
                for (((a, b), sum), out) in rows.zip(sum.chunks_exact_mut(width)).zip(outs) {
                    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
                        *sum = a + b;
                    }
                    self.norm.row(sum, out);
                }
            }
        }
    }
}

impl Norm<'_> {
    #[inline(always)]
    fn row(&self, x: &[f32], out: &mut [f32]) {
        let moments = Moments::of(x);
        let (mean, factor) = (
            moments.mean as f32,
            moments.inverse_deviation(self.eps) as f32,
        );
        match self.beta {
            Some(beta) => {
                for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(self.gamma).zip(beta) {
                    *out = (x - mean) * factor * gamma + beta;
                }
            }
            None => {
                for ((out, x), gamma) in out.iter_mut().zip(x).zip(self.gamma) {
                    *out = (x - mean) * factor * gamma;
                }
            }
        }
    }
}

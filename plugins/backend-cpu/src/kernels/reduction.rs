//! Sums and means over dimensions that are adjacent in memory.

use mirage_ir::{
    DType,
    ops::{Reduce, ReduceFn},
};
use mirage_runtime::{NodeContext, planned::HostKernel};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    memory::{WORTH_DIVIDING, threads},
    reduce::{Lanes, plus},
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let op = cx.node.op.get::<Reduce>()?;
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    if x.dtype != DType::F32 || x.numel() == 0 {
        return None;
    }
    let mut block = Block::default();
    let mut seen = 0;
    for (d, size) in x.order.dims().map(|d| (d, x.shape[d])) {
        if size == 1 {
            continue;
        }
        let reduced = op.dims.contains(&d);
        match (reduced, seen) {
            (false, 0) => block.outer *= size,
            (true, 0 | 1) => {
                seen = 1;
                block.reduced *= size;
            }
            (false, _) => {
                seen = 2;
                block.inner *= size;
            }
            (true, _) => return None,
        }
    }
    block.factor = match op.f {
        ReduceFn::Sum => 1.0,
        ReduceFn::Mean => 1.0 / block.reduced as f64,
        _ => return None,
    };
    debug_assert_eq!(block.outer * block.inner, out.numel());
    Some(HostKernel::new(move |x, mut space| {
        block.run(x[0].floats(), space.result());
    }))
}

/// The sizes outer × reduced × inner.
#[derive(Clone, Copy)]
struct Block {
    outer: usize,
    reduced: usize,
    inner: usize,
    /// The factor of sums.
    factor: f64,
}

impl Default for Block {
    fn default() -> Self {
        Block {
            outer: 1,
            reduced: 1,
            inner: 1,
            factor: 1.0,
        }
    }
}

impl Block {
    fn run(&self, x: &[f32], out: &mut [f32]) {
        let pairs = |(out, x): (&mut [f32], &[f32])| {
            dispatch(Sum {
                block: self,
                x,
                out,
            })
        };
        let each = self.reduced * self.inner;
        if x.len() < WORTH_DIVIDING || self.outer < threads() {
            out.chunks_mut(self.inner)
                .zip(x.chunks(each))
                .for_each(pairs);
        } else {
            let all = out.par_chunks_mut(self.inner).zip(x.par_chunks(each));
            all.for_each(pairs);
        }
    }
}

/// Reduces one outer element.
struct Sum<'a> {
    block: &'a Block,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Block { inner, factor, .. } = *self.block;
        if inner == 1 {
            let part = |part: &[f32]| {
                let mut lanes = Lanes::new(0.0);
                lanes.take_in(part, plus);
                f64::from(lanes.together(plus))
            };
            let sum: f64 = self.x.chunks(2048).map(part).sum();
            self.out[0] = (sum * factor) as f32;
            return;
        }
        self.out.fill(0.0);
        for row in self.x.chunks_exact(inner) {
            for (out, x) in self.out.iter_mut().zip(row) {
                *out += x;
            }
        }
        let factor = factor as f32;
        self.out.iter_mut().for_each(|x| *x *= factor);
    }
}

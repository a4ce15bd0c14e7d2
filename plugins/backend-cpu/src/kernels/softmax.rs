//! Softmax over the innermost physical dimension.

use mirage_ir::{DType, ops::Softmax};
use mirage_runtime::{NodeContext, planned::HostKernel};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    math::exp,
    memory::{WORTH_DIVIDING, threads},
    reduce::{Lanes, larger, plus},
    vector::dispatch,
};

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let op = cx.node.op.get::<Softmax>()?;
    let (x, out) = (&cx.inputs[0], &cx.outputs[0]);
    let innermost = cx.place(op.dim) + 1 == x.rank();
    if x.dtype != DType::F32 || x.numel() == 0 || !innermost || !x.same_memory(out) {
        return None;
    }
    let width = x.shape[op.dim];
    let compute = HostKernel::new(move |x, mut space| {
        run(x[0].floats_unless_in_result(), width, space.result());
    });
    Some(compute.in_place([0]))
}

/// Computes the softmax of rows of `x` into `out`; in place if there is no `x`.
fn run(x: Option<&[f32]>, width: usize, out: &mut [f32]) {
    let part = (out.len() / width).div_ceil(3 * threads()) * width;
    let one = |(i, out): (usize, &mut [f32])| {
        let x = x.map(|x| &x[i * part..][..out.len()]);
        dispatch(Rows { x, width, out });
    };
    if out.len() < WORTH_DIVIDING {
        out.chunks_mut(part).enumerate().for_each(one);
    } else {
        out.par_chunks_mut(part)
            .with_max_len(1)
            .enumerate()
            .for_each(one);
    }
}

struct Rows<'a> {
    x: Option<&'a [f32]>,
    width: usize,
    out: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (i, row) in self.out.chunks_exact_mut(self.width).enumerate() {
            if let Some(x) = self.x {
                row.copy_from_slice(&x[i * self.width..][..self.width]);
            }
            let mut lanes = Lanes::new(f32::NEG_INFINITY);
            lanes.take_in(row, larger);
            let most = lanes.together(larger);
            let mut lanes = Lanes::new(0.0);
            lanes.replace(row, |x| exp(x - most), plus);
            let factor = 1.0 / lanes.together(plus);
            row.iter_mut().for_each(|x| *x *= factor);
        }
    }
}

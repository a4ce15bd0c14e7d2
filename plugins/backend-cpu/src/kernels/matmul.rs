//! Products of batches of matrices with any strides, with broadcasting. The right matrices are packed in
//! every run, each once.

use std::ops::Range;

use mirage_ir::{DType, TensorType, ops::Matmul, regions::Activation};
use mirage_runtime::{
    NodeContext,
    planned::{HostKernel, View},
};
use rayon::prelude::*;

use super::{
    memory::{Numbers, WORTH_DIVIDING},
    panels::{Panels, Segment, segments},
    product::{Arrangement, Epilogue, Plan, Source},
};

/// Whether the kernel supports operands of these types: f32, with up to two batch dimensions. The physical
/// dimensions must be the logical ones, which an equivalent order need not have.
pub(crate) fn takes(operands: &[&TensorType]) -> bool {
    let takes = |t: &TensorType| {
        t.dtype == DType::F32 && t.rank() <= 4 && t.order.is_row_major() && t.numel() > 0
    };
    operands.iter().all(|t| takes(t))
}

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    cx.node.op.get::<Matmul>()?;
    let (a, b, out) = (&cx.inputs[0], &cx.inputs[1], &cx.outputs[0]);
    if !takes(&[a, b]) {
        return None;
    }
    let rank = out.rank();
    let (k, n) = (b.shape[rank - 2], b.shape[rank - 1]);
    let (left, right, batch) = (Batch::of(a), Batch::of(b), Batch::of(out));
    let plan = Plan {
        panels: Panels::new(k, n),
        segments: segments([Segment { offset: 0, len: k }]),
        arrangement: Arrangement::Rows,
        images: batch.count(),
        places: out.shape[rank - 2],
        unit: 1,
    };
    let workspace = right.count() * plan.panels.len();
    let compute = HostKernel::new(move |x, space| {
        let packed = &mut *space.workspace;
        right.pack(Matrices::new(x[1].view(), rank), &plan.panels, packed);
        let rows = Left {
            matrices: Matrices::new(x[0].view(), rank),
            left,
            right,
            batch,
            k,
        };
        let nothing = Epilogue {
            bias: None,
            residual: None,
            activation: Activation::None,
        };
        plan.run(&rows, packed, nothing, space.results[0]);
    });
    Some(compute.with_views().with_workspace(workspace))
}

/// The sizes of the two batch dimensions; 1 if absent.
#[derive(Clone, Copy)]
struct Batch([usize; 2]);

impl Batch {
    fn of(ty: &TensorType) -> Self {
        let size = |from_last: usize| match ty.rank().checked_sub(from_last) {
            Some(d) => ty.shape[d],
            None => 1,
        };
        Batch([size(4), size(3)])
    }

    fn count(self) -> usize {
        self.0[0] * self.0[1]
    }

    /// Returns both indices of a matrix.
    fn indices(self, number: usize) -> [usize; 2] {
        [number / self.0[1], number % self.0[1]]
    }

    /// Returns the indices in this batch for those of the result's.
    fn broadcast(self, [outer, inner]: [usize; 2]) -> [usize; 2] {
        [outer.min(self.0[0] - 1), inner.min(self.0[1] - 1)]
    }

    fn pack(self, matrices: Matrices<'_>, panels: &Panels, packed: &mut [f32]) {
        let one = |(i, packed): (usize, &mut [f32])| {
            let x = matrices.from(self.indices(i));
            let (row, column) = (matrices.row, matrices.column);
            panels.pack(packed, |k, n| x[k * row + n * column]);
        };
        if packed.len() < WORTH_DIVIDING {
            packed.chunks_mut(panels.len()).enumerate().for_each(one);
        } else {
            let all = packed.par_chunks_mut(panels.len());
            all.enumerate().for_each(one);
        }
    }
}

/// A batch of matrices in memory.
#[derive(Clone, Copy)]
struct Matrices<'a> {
    elements: &'a [f32],
    batch: [usize; 2],
    row: usize,
    column: usize,
}

impl<'a> Matrices<'a> {
    fn new(view: View<'a>, rank: usize) -> Self {
        let step = |from_last: usize| rank.checked_sub(from_last).map_or(0, |d| view.strides[d]);
        Matrices {
            elements: &view.elements[view.start..],
            batch: [step(4), step(3)],
            row: step(2),
            column: step(1),
        }
    }

    /// Returns the elements from the first of a matrix on.
    fn from(&self, [outer, inner]: [usize; 2]) -> &'a [f32] {
        &self.elements[outer * self.batch[0] + inner * self.batch[1]..]
    }
}

/// The left matrices, and the right one for each.
struct Left<'a> {
    matrices: Matrices<'a>,
    left: Batch,
    right: Batch,
    /// The result's batch.
    batch: Batch,
    k: usize,
}

impl Left<'_> {
    /// Whether rows are contiguous.
    fn in_rows(&self) -> bool {
        self.matrices.column == 1 || self.k == 1
    }
}

impl Source for Left<'_> {
    fn scratch(&self, places: usize) -> usize {
        if self.in_rows() { 0 } else { places * self.k }
    }

    fn matrix(&self, image: usize) -> usize {
        let [outer, inner] = self.right.broadcast(self.batch.indices(image));
        outer * self.right.0[1] + inner
    }

    #[inline(always)]
    fn rows<'a>(
        &'a self,
        image: usize,
        places: Range<usize>,
        scratch: &'a mut [f32],
        bases: &mut Numbers,
    ) -> &'a [f32] {
        let Matrices { row, column, .. } = self.matrices;
        let indices = self.left.broadcast(self.batch.indices(image));
        let x = &self.matrices.from(indices)[places.start * row..];
        if self.in_rows() {
            bases.extend((0..places.len()).map(|p| p * row));
            return x;
        }
        for (p, line) in scratch.chunks_exact_mut(self.k).enumerate() {
            for (k, to) in line.iter_mut().enumerate() {
                *to = x[p * row + k * column];
            }
        }
        bases.extend((0..places.len()).map(|p| p * self.k));
        scratch
    }
}

//! Linear layers and the operations after them in a region.

use std::ops::Range;

use mirage_ir::{DType, TensorType, regions::LinearAct};
use mirage_runtime::{NodeContext, planned::HostKernel};

use super::{
    memory::Numbers,
    panels::{Panels, Segment, segments},
    product::{Arrangement, Epilogue, Plan, Source},
};

/// Whether the kernel supports operands of these types.
pub(crate) fn takes(x: &TensorType, weight: &TensorType) -> bool {
    x.dtype == DType::F32 && x.is_row_major() && x.numel() > 0 && weight.numel() > 0
}

/// Packs a weight `[in,out]` in panels.
pub(crate) fn pack(weight: &[f32], ty: &TensorType) -> Vec<f32> {
    let (panels, strides) = (Panels::new(ty.shape[0], ty.shape[1]), ty.strides());
    let mut packed = vec![0.0; panels.len()];
    panels.pack(&mut packed, |k, n| weight[k * strides[0] + n * strides[1]]);
    packed
}

pub(crate) fn lower(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let fused = LinearAct::of(&cx.node.op, cx.inputs.len())?;
    let (x, weight, out) = (&cx.inputs[0], &cx.inputs[1], &cx.outputs[0]);
    let residual = fused.residual.then(|| cx.inputs.len() - 1);
    let fits = |i: usize| cx.inputs[i].shape == out.shape && cx.inputs[i].is_row_major();
    if !takes(x, weight) || !out.is_row_major() || residual.is_some_and(|i| !fits(i)) {
        return None;
    }
    let (k, n) = (weight.shape[0], weight.shape[1]);
    let plan = Plan {
        panels: Panels::new(k, n),
        segments: segments([Segment { offset: 0, len: k }]),
        arrangement: Arrangement::Rows,
        images: 1,
        places: out.numel() / n,
        unit: 1,
    };
    let (packed, weight_type) = (cx.packed[1], weight.clone());
    Some(HostKernel::new(move |x, mut space| {
        let packed_here;
        let panels = if packed {
            x[1].floats()
        } else {
            packed_here = pack(x[1].floats(), &weight_type);
            &packed_here
        };
        let epilogue = Epilogue {
            bias: fused.bias.then(|| x[2].floats()),
            residual: residual.map(|i| x[i].floats()),
            activation: fused.activation,
        };
        let rows = Matrix {
            k,
            x: x[0].floats(),
        };
        plan.run(&rows, panels, epilogue, space.result());
    }))
}

/// Contiguous rows of `k` elements.
struct Matrix<'a> {
    k: usize,
    x: &'a [f32],
}

impl Source for Matrix<'_> {
    fn scratch(&self, _places: usize) -> usize {
        0
    }

    #[inline(always)]
    fn rows<'a>(
        &'a self,
        _image: usize,
        places: Range<usize>,
        _scratch: &'a mut [f32],
        bases: &mut Numbers,
    ) -> &'a [f32] {
        bases.extend((0..places.len()).map(|p| p * self.k));
        &self.x[places.start * self.k..places.end * self.k]
    }
}

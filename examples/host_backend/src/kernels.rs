//! Kernels on slices, for memory that the runtime plans.

use mirage_ir::{
    DType,
    ops::{Binary, Linear},
};
use mirage_runtime::{HostKernels, NodeContext, planned::HostKernel};

use crate::array::Array;

pub(crate) struct Kernels;

impl HostKernels<Array> for Kernels {
    fn kernel(&self, cx: &NodeContext<'_>) -> Option<HostKernel> {
        let all_f32 = cx.inputs.iter().all(|t| t.dtype == DType::F32);
        if !all_f32 {
            return None;
        }
        linear(cx).or_else(|| add(cx))
    }

    fn floats<'t>(&self, weight: &'t Array) -> &'t [f32] {
        match weight {
            Array::Floats(x, _) => x,
            Array::Bytes(_) => unreachable!("the runtime asks for the floats of f32"),
        }
    }

    fn bytes<'t>(&self, weight: &'t Array) -> &'t [u8] {
        match weight {
            Array::Bytes(data) => data.bytes(),
            Array::Floats(..) => unreachable!("the runtime asks for the bytes of other dtypes"),
        }
    }

    fn fallback(&self) -> &'static str {
        "their definitions"
    }
}

/// Computes x·w + b, with x as rows of the last dimension.
fn linear(cx: &NodeContext<'_>) -> Option<HostKernel> {
    cx.node.op.get::<Linear>()?;
    let [inner, outer] = cx.inputs[1].shape[..] else {
        return None;
    };
    if inner == 0 || outer == 0 || !cx.inputs.iter().all(|t| t.is_row_major()) {
        return None;
    }
    Some(HostKernel::new(move |operands, mut space| {
        let (x, w) = (operands[0].floats(), operands[1].floats());
        let rows = space.result().chunks_exact_mut(outer);
        for (y, x) in rows.zip(x.chunks_exact(inner)) {
            match operands.get(2) {
                Some(bias) => y.copy_from_slice(bias.floats()),
                None => y.fill(0.0),
            }
            for (x, w) in x.iter().zip(w.chunks_exact(outer)) {
                y.iter_mut().zip(w).for_each(|(y, w)| *y += x * w);
            }
        }
    }))
}

/// Adds tensors of the same type, in place of the first one if it has no other use.
fn add(cx: &NodeContext<'_>) -> Option<HostKernel> {
    let is_add = cx.node.op.get::<Binary>() == Some(&Binary::Add);
    if !is_add || cx.inputs.iter().any(|t| *t != cx.outputs[0]) {
        return None;
    }
    let kernel = HostKernel::new(|operands, mut space| {
        let y = space.result();
        if let Some(x) = operands[0].floats_unless_in_result() {
            y.copy_from_slice(x);
        }
        y.iter_mut()
            .zip(operands[1].floats())
            .for_each(|(y, x)| *y += x);
    });
    Some(kernel.in_place([0]))
}

//! This backend's own kernels, a folder for each family. Other operations run by burn's kernels through the
//! generic ones, which are also the reference for these kernels.
//!
//! The kernel of a node is chosen here.

pub(crate) mod attention;
mod chip;
pub(crate) mod copy;
pub(crate) mod device;
pub(crate) mod elementwise;
pub(crate) mod fragments;
pub(crate) mod join;
pub(crate) mod norm;
#[cfg(test)]
mod offline;
pub(crate) mod pad;
pub(crate) mod product;
pub(crate) mod spatial;
pub(crate) mod stopwatch;

use std::sync::Arc;

use burn_backend::DType as BurnDType;
use burn_cubecl::{Cube, CubeDevice};
use mirage_burn::{
    ExternRunner, InterpreterRunner, Kernel, Kernels, NodeContext, Packing, Stopwatch, Tensor,
};
use mirage_ir::{
    DType, Graph, GraphFlag, Node, TensorType,
    ops::{self, Matmul, Permute},
};

use self::{chip::Chip, fragments::Arithmetic, stopwatch::DeviceStopwatch};

/// Element types of own kernels.
const FLOATS: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// This backend's own kernels.
pub(crate) struct CudaKernels {
    chip: Chip,
    device: CubeDevice,
}

impl CudaKernels {
    pub(crate) fn new(device: &CubeDevice) -> Self {
        CudaKernels {
            chip: Chip::of(device),
            device: device.clone(),
        }
    }
}

/// Returns the engine's type for a float type that kernels write.
fn dtype(dtype: DType) -> Option<BurnDType> {
    match dtype {
        DType::F32 => Some(BurnDType::F32),
        DType::F16 => Some(BurnDType::F16),
        DType::BF16 => Some(BurnDType::BF16),
        _ => None,
    }
}

/// Returns how a graph requires elements of this type to be multiplied.
fn arithmetic(graph: &Graph, dtype: DType) -> Arithmetic {
    Arithmetic::of(dtype, graph.has_flag(GraphFlag::Tf32Products))
}

impl Kernels<Cube> for CudaKernels {
    fn lower(&self, cx: &NodeContext<'_, Cube>) -> Option<Kernel<Cube>> {
        let chip = &self.chip;
        product::lower(chip, cx)
            .or_else(|| attention::lower(chip, cx))
            .or_else(|| norm::lower(cx))
            .or_else(|| elementwise::lower(cx))
            .or_else(|| spatial::lower(cx))
            .or_else(|| join::lower(cx))
            .or_else(|| pad::lower(cx))
    }

    fn packing(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Packing> {
        (operand == 1)
            .then(|| product::packing(&self.chip, graph, node))
            .flatten()
    }

    fn pack(&self, packing: Packing, ty: &TensorType, weight: Tensor<Cube>) -> Tensor<Cube> {
        product::pack(packing, ty, weight)
    }

    fn takes_views(&self, graph: &Graph, node: &Node) -> bool {
        let views = node.op.is::<Matmul>() || node.op.is::<Permute>();
        views || attention::takes(&self.chip, graph, node)
    }

    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        Some(Box::new(DeviceStopwatch::new(&self.device)))
    }

    fn externs(&self) -> Option<Arc<dyn ExternRunner<Cube>>> {
        Some(Arc::new(InterpreterRunner))
    }

    fn notes(&self, graph: &Graph) -> Vec<String> {
        let uses = |dtype| graph.values().iter().any(|v| v.ty.dtype == dtype);
        let multiplies = |n: &Node| {
            let layers = n.op.is::<ops::Conv>() || n.op.is::<ops::Linear>();
            layers || n.op.is::<ops::Attention>() || n.op.is::<ops::Region>()
        };
        let mut notes = Vec::new();
        if self.chip.multiplies(DType::F32)
            && uses(DType::F32)
            && graph.nodes().iter().any(multiplies)
        {
            notes.push(match arithmetic(graph, DType::F32) {
                Arithmetic::Tf32 => "products of f32 are of operands rounded to tf32, which keeps 10 \
                     bits of the fraction: about 1e-3 of a result's size"
                    .to_owned(),
                _ => "layers and attention in f32 run on tensor cores as three products of tf32 each, \
                     about as good as f32"
                    .to_owned(),
            });
        }
        let by_engine = |n: &Node| {
            n.op.is::<Matmul>() && n.inputs.iter().all(|&v| graph.ty(v).dtype == DType::F32)
        };
        if graph.nodes().iter().any(by_engine) {
            notes.push(
                "products of two activations in f32 are burn's own, which round to tf32: about 1e-3 \
                 of a result's size"
                    .to_owned(),
            );
        }
        for dtype in product::DTYPES {
            if uses(dtype) && !self.chip.multiplies(dtype) {
                notes.push(format!(
                    "this device has no tensor cores for {dtype}: burn's own kernels multiply it"
                ));
            }
        }
        notes
    }
}

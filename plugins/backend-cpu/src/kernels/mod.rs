//! This backend's own kernels for f32, a file for each family. Operations that they do not support are run
//! by the generic kernels of burn-flex.
//!
//! All are safe Rust: loops over slices that are compiled for several instruction sets, of which the widest
//! that the processor supports is selected at run time ([`vector`]).

mod activation;
pub(crate) mod attention;
mod batch_norm;
mod channels;
mod conv;
mod elementwise;
pub(crate) mod flex;
mod group_norm;
pub(crate) mod half;
mod layer_norm;
mod linear;
mod math;
pub(crate) mod matmul;
pub(crate) mod memory;
mod panels;
mod product;
mod rearrange;
mod reduce;
mod reduction;
mod softmax;
mod spatial;
mod vector;

use std::sync::Arc;

use burn_flex::Flex;
use mirage_burn::{ExternRunner, InterpreterRunner, Kernel, Kernels, Tensor};
use mirage_ir::{
    DType, Graph, Node, TensorType,
    ops::{Attention, Matmul, Permute},
    regions::{ConvAct, LinearAct},
};
use mirage_runtime::{
    NodeContext, Packing,
    planned::{HostKernel, HostKernels},
};

use self::{
    flex::{elements, in_sequence, tensor},
    half::{wide, widen},
    memory::Pool,
};

/// This backend's own kernels; one for each executable.
#[derive(Default)]
pub(crate) struct CpuKernels {
    pool: Arc<Pool>,
}

const CONV: Packing = Packing("convolution in panels");
const LINEAR: Packing = Packing("linear layer in panels");

type Family = fn(&NodeContext<'_>) -> Option<HostKernel>;

const FAMILIES: [Family; 9] = [
    attention::lower,
    batch_norm::lower,
    conv::lower,
    elementwise::lower,
    group_norm::lower,
    layer_norm::lower,
    linear::lower,
    matmul::lower,
    softmax::lower,
];

/// Returns the kernel for a node, if there is one.
pub(crate) fn computation(cx: &NodeContext<'_>) -> Option<HostKernel> {
    FAMILIES.iter().find_map(|family| family(cx))
}

impl Kernels<Flex> for CpuKernels {
    fn lower(&self, cx: &mirage_burn::NodeContext<'_, Flex>) -> Option<Kernel<Flex>> {
        computation(&cx.widened()).map(|c| flex::kernel(c, cx, &self.pool))
    }

    fn packing(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Packing> {
        if operand != 1 {
            return None;
        }
        let [x, weight] = [0, 1].map(|i| wide(graph.ty(node.inputs[i])));
        let operands = node.inputs.len();
        if let Some(fused) = ConvAct::of(&node.op, operands) {
            return conv::takes(&fused.op, &x, &weight).then_some(CONV);
        }
        LinearAct::of(&node.op, operands)?;
        linear::takes(&x, &weight).then_some(LINEAR)
    }

    fn pack(&self, packing: Packing, ty: &TensorType, weight: Tensor<Flex>) -> Tensor<Flex> {
        let weight = in_sequence(widen(weight.into_float(), &self.pool));
        let pack = if packing == CONV {
            conv::pack
        } else {
            linear::pack
        };
        let packed = pack(elements(&weight), ty);
        let len = packed.len();
        tensor(packed, &[len])
    }

    fn takes_views(&self, graph: &Graph, node: &Node) -> bool {
        let by_kernel = |op| attention::takes(op, &graph.input_types(node));
        let views = node.op.is::<Matmul>() || node.op.is::<Permute>();
        views || node.op.get::<Attention>().is_some_and(by_kernel)
    }

    /// Runs on a thread of the pool, because entering the pool for every kernel costs some microseconds.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        rayon::scope(|_| execution());
    }

    fn externs(&self) -> Option<Arc<dyn ExternRunner<Flex>>> {
        Some(Arc::new(InterpreterRunner))
    }

    fn notes(&self, graph: &Graph) -> Vec<String> {
        let uses = |dtype| graph.values().iter().any(|v| v.ty.dtype == dtype);
        let halves = [DType::F16, DType::BF16].into_iter().filter(|&d| uses(d));
        let note = |dtype: DType| {
            format!(
                "{dtype} has no fast path on this backend: operations widen it to f32 and round their \
                 results, and convolutions and linear layers hold their weights in f32, so it saves \
                 memory of activations, not time"
            )
        };
        halves.map(note).collect()
    }
}

impl HostKernels<Tensor<Flex>> for CpuKernels {
    /// Includes operations that are views or run by burn-flex in the slots mode.
    fn kernel(&self, cx: &NodeContext<'_>) -> Option<HostKernel> {
        let more: [Family; 3] = [rearrange::lower, reduction::lower, spatial::lower];
        computation(cx).or_else(|| more.iter().find_map(|family| family(cx)))
    }

    fn takes_strides(&self, node: &Node, inputs: &[&TensorType]) -> bool {
        let attends = |op| attention::takes(op, inputs);
        node.op.get::<Attention>().is_some_and(attends)
            || node.op.is::<Matmul>() && matmul::takes(inputs)
    }

    fn floats<'t>(&self, weight: &'t Tensor<Flex>) -> &'t [f32] {
        let (Tensor::Float(t) | Tensor::Int(t) | Tensor::Bool(t)) = weight;
        elements(t)
    }

    fn bytes<'t>(&self, weight: &'t Tensor<Flex>) -> &'t [u8] {
        let (Tensor::Float(t) | Tensor::Int(t) | Tensor::Bool(t)) = weight;
        flex::bytes(t)
    }

    fn fallback(&self) -> &'static str {
        "burn-flex"
    }

    fn settle(&self) {
        memory::settle();
    }
}

//! Kernels by single calls of libtorch, a file for each family. Other operations run by the generic kernels on
//! burn-tch, which are also the reference for these kernels.
//!
//! A channels-last value `[N,C,H,W]@[0,2,3,1]` is stored as `[N,H,W,C]`; its logical view is libtorch's
//! channels-last format, so that convolutions, norms and pools run without a copy.

mod activation;
mod attention;
mod conv;
mod linear;
mod norm;
mod sample;

use std::sync::Arc;

use burn_tch::{LibTorch, TchTensor};
use mirage_burn::{
    Align, Args, ExternRunner, Kernel, Kernels, NodeContext, Tensor, TypedArgs, on_flex,
};
use mirage_ir::{
    Graph, GraphFlag, Node, Order,
    ops::{self, Matmul, Permute},
};

/// The kinds of regions with a kernel.
pub(crate) const REGIONS: [&str; 8] = [
    "act_group_norm",
    "act_layer_norm",
    "add_layer_norm",
    "conv_act",
    "conv_norm_act",
    "group_norm_silu",
    "layer_norm_linear",
    "linear_act",
];

type Cx<'a> = NodeContext<'a, LibTorch>;

/// This backend's own kernels.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TchKernels;

impl Kernels<LibTorch> for TchKernels {
    fn lower(&self, cx: &Cx<'_>) -> Option<Kernel<LibTorch>> {
        conv::lower(cx)
            .or_else(|| linear::lower(cx))
            .or_else(|| norm::lower(cx))
            .or_else(|| attention::lower(cx))
            .or_else(|| activation::lower(cx))
            .or_else(|| sample::lower(cx))
    }

    /// A convolution in channels last needs its weights in channels last, or libtorch converts them in every
    /// call.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = conv::is_convolution(node) || node.op.is::<ops::ConvTranspose>();
        if !is_convolution || operand != 1 {
            return None;
        }
        let (x, weight) = (graph.ty(node.inputs[0]), graph.ty(node.inputs[1]));
        let last = Order::channels_last(x.rank());
        Some(if x.rank() == 4 && x.order == last {
            last
        } else {
            Order::row_major(weight.rank())
        })
    }

    fn takes_views(&self, _graph: &Graph, node: &Node) -> bool {
        node.op.is::<Matmul>() || node.op.is::<Permute>() || attention::takes_views(node)
    }

    /// Disables gradients for the calls.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        tch::no_grad(execution);
    }

    fn externs(&self) -> Option<Arc<dyn ExternRunner<LibTorch>>> {
        Some(on_flex())
    }

    fn notes(&self, graph: &Graph) -> Vec<String> {
        match graph.has_flag(GraphFlag::StaticPlan) {
            true => vec![
                "static plan: steps, slots and what runs in place are fixed at compile, and an \
                 execution was run there; libtorch allocates results itself"
                    .to_owned(),
            ],
            false => Vec::new(),
        }
    }
}

/// Returns a kernel with one result, in the order of its type.
fn kernel(
    out: Align,
    f: impl Fn(&mut Operands<'_, '_>) -> Result<tch::Tensor, tch::TchError> + Send + Sync + 'static,
) -> Kernel<LibTorch> {
    Box::new(move |args| {
        let result = f(&mut Operands(args)).map_err(words)?;
        args.set(0, out.lay_out(Tensor::Float(TchTensor::new(result))));
        Ok(())
    })
}

/// Returns the first line of libtorch's message; the others are a stack trace.
fn words(error: tch::TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or("no reason given").to_owned()
}

/// The operands of a kernel as libtorch's tensors. They must not be written, because other owners are not
/// known here.
struct Operands<'a, 'b>(&'a mut Args<'b, LibTorch>);

impl Operands<'_, '_> {
    /// Returns operand `i` in its physical shape.
    fn plain(&mut self, i: usize) -> tch::Tensor {
        self.0.float(i).tensor
    }

    /// Returns a view of operand `i`.
    fn seen(&mut self, i: usize, align: &Align) -> tch::Tensor {
        align.view(self.0.take(i)).into_float().tensor
    }
}

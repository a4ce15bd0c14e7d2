//! What a backend adds to the generic executor.

use std::sync::Arc;

use burn_backend::{Backend, tensor::Device};
use mirage_ir::{Graph, Node, Order, TensorType, ops};

use super::{ExternRunner, Kernel, NodeContext, Stopwatch, Tensor};

/// The name of a form in which a backend's kernels hold a weight: elements in a sequence of their
/// own, perhaps with padding. What it means is known to the backend alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packing(pub &'static str);

/// Kernels of a backend's own, and how it runs what only burn knows.
pub trait Kernels<B: Backend>: Send + Sync {
    /// A kernel for this node, or `None` for the generic one. Nodes that carry a body come whole;
    /// where there is no kernel for one, its body runs.
    fn lower(&self, _node: &NodeContext<'_, B>) -> Option<Kernel<B>> {
        None
    }

    /// The memory order in which this operand of a node is wanted, if it is a weight that only such
    /// nodes take; it is then converted once at compile. By default the weights of convolutions are
    /// row-major, as burn's engines take them.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = node.op.is::<ops::Conv>() || node.op.is::<ops::ConvTranspose>();
        (is_convolution && operand == 1)
            .then(|| Order::row_major(graph.ty(node.inputs[operand]).rank()))
    }

    /// The form in which this operand of a node is wanted, if it is a weight and all that take it
    /// want the same; it is then converted once at compile, by [`Kernels::pack`], and
    /// [`NodeContext::packed`] says so. Outranks [`Kernels::weight_order`].
    fn packing(&self, _graph: &Graph, _node: &Node, _operand: usize) -> Option<Packing> {
        None
    }

    /// A weight of type `ty` in the form that [`Kernels::packing`] asked for. Its shape is the
    /// backend's business.
    fn pack(&self, _packing: Packing, _ty: &TensorType, weight: Tensor<B>) -> Tensor<B> {
        weight
    }

    /// Whether this node reads operands with any strides where they lie, so that a permutation
    /// before it need not move elements. Matrix products do, and further permutations.
    fn takes_views(&self, _graph: &Graph, node: &Node) -> bool {
        node.op.is::<ops::Matmul>() || node.op.is::<ops::Permute>()
    }

    /// Runs an execution. An engine with threads of its own may run it on one of them, which then
    /// takes a share of the work that it divides.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        execution();
    }

    /// What times nodes by the device's clock, where a profile is asked for; `None` for the host's. To be
    /// made at no cost: what it needs on the device it takes when it starts.
    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        None
    }

    /// What runs operations that only burn knows; `None` if nothing does.
    fn externs(&self) -> Option<Arc<dyn ExternRunner<B>>> {
        None
    }

    /// What a user should know of this graph on this backend, a line each.
    fn notes(&self, _graph: &Graph) -> Vec<String> {
        Vec::new()
    }
}

/// No kernels beside the generic ones, and no way to run what only burn knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generic;

impl<B: Backend> Kernels<B> for Generic {}

/// A burn backend on a device, with its kernels, under the name that users know.
pub struct Engine<B: Backend> {
    /// The name for errors.
    pub name: &'static str,
    /// The device.
    pub device: Device<B>,
    /// Its kernels.
    pub kernels: Arc<dyn Kernels<B>>,
}

impl<B: Backend> Clone for Engine<B> {
    fn clone(&self) -> Self {
        Engine {
            name: self.name,
            device: self.device.clone(),
            kernels: self.kernels.clone(),
        }
    }
}

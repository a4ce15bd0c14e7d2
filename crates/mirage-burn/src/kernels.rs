//! What a burn backend adds to the generic kernels.

use std::sync::Arc;

use burn_backend::{
    Backend,
    tensor::{BoolTensor, FloatTensor, IntTensor},
};
use mirage_ir::{Graph, Node, Order, TensorType, ops};
use mirage_runtime::{Args, Packing, Stopwatch};

use crate::{ExternRunner, NodeContext, Tensor};

/// A kernel on tensors of a burn backend.
pub type Kernel<B> = mirage_runtime::Kernel<Tensor<B>>;

/// Kernels of a backend's own, and how it runs operations that only burn knows. The methods are those of
/// [`mirage_runtime::Engine`], with the same defaults.
pub trait Kernels<B: Backend>: Send + Sync {
    /// A kernel for this node, or `None` for the generic one. A region for which there is no kernel is
    /// replaced by its body.
    fn lower(&self, _node: &NodeContext<'_, B>) -> Option<Kernel<B>> {
        None
    }

    /// The memory order in which this operand is wanted if it is a weight: row-major for convolutions,
    /// which is what burn's engines take.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = node.op.is::<ops::Conv>() || node.op.is::<ops::ConvTranspose>();
        (is_convolution && operand == 1)
            .then(|| Order::row_major(graph.ty(node.inputs[operand]).rank()))
    }

    /// The form in which this operand is wanted if it is a weight.
    fn packing(&self, _graph: &Graph, _node: &Node, _operand: usize) -> Option<Packing> {
        None
    }

    /// A weight of type `ty` in the form that [`Kernels::packing`] asked for.
    fn pack(&self, _packing: Packing, _ty: &TensorType, weight: Tensor<B>) -> Tensor<B> {
        weight
    }

    /// Whether this node reads operands with any strides.
    fn takes_views(&self, _graph: &Graph, node: &Node) -> bool {
        node.op.is::<ops::Matmul>() || node.op.is::<ops::Permute>()
    }

    /// Runs an execution.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        execution();
    }

    /// Times nodes by the device's clock in a profile; `None` for the host's clock.
    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        None
    }

    /// Runs operations that only burn knows; `None` if nothing does.
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

/// Operands by the kind of their elements. The types of a verified graph say which kind each has; asking
/// for another one panics.
pub trait TypedArgs<B: Backend> {
    /// Operand `i`, a float tensor.
    fn float(&mut self, i: usize) -> FloatTensor<B>;

    /// Operand `i`, an integer tensor.
    fn int(&mut self, i: usize) -> IntTensor<B>;

    /// Operand `i`, a bool tensor.
    fn bool(&mut self, i: usize) -> BoolTensor<B>;
}

impl<B: Backend> TypedArgs<B> for Args<'_, Tensor<B>> {
    fn float(&mut self, i: usize) -> FloatTensor<B> {
        self.take(i).into_float()
    }

    fn int(&mut self, i: usize) -> IntTensor<B> {
        self.take(i).into_int()
    }

    fn bool(&mut self, i: usize) -> BoolTensor<B> {
        self.take(i).into_bool()
    }
}

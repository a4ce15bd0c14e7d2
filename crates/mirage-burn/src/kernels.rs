//! Kernels that a burn backend adds to the generic ones.

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

/// A backend's own kernels, and how it runs extern operations. The methods are those of
/// [`mirage_runtime::Engine`], with the same defaults.
pub trait Kernels<B: Backend>: Send + Sync {
    /// Returns the kernel for this node, or `None` for the generic one. A region without a kernel is replaced
    /// by its body.
    fn lower(&self, _node: &NodeContext<'_, B>) -> Option<Kernel<B>> {
        None
    }

    /// Returns the preferred memory order of this operand if it is a weight; row-major for convolutions, as
    /// burn requires.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = node.op.is::<ops::Conv>() || node.op.is::<ops::ConvTranspose>();
        (is_convolution && operand == 1)
            .then(|| Order::row_major(graph.ty(node.inputs[operand]).rank()))
    }

    /// Returns the preferred packed form of this operand if it is a weight.
    fn packing(&self, _graph: &Graph, _node: &Node, _operand: usize) -> Option<Packing> {
        None
    }

    /// Converts a weight of type `ty` to the form of [`Kernels::packing`].
    fn pack(&self, _packing: Packing, _ty: &TensorType, weight: Tensor<B>) -> Tensor<B> {
        weight
    }

    /// Whether this node accepts operands with any strides.
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

    /// Returns what runs extern operations; `None` if they are not supported.
    fn externs(&self) -> Option<Arc<dyn ExternRunner<B>>> {
        None
    }

    /// Returns notes for the user on this graph, a line each.
    fn notes(&self, _graph: &Graph) -> Vec<String> {
        Vec::new()
    }
}

/// No kernels beside the generic ones, and no support of extern operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Generic;

impl<B: Backend> Kernels<B> for Generic {}

/// Operands by kind of elements, which the types of a verified graph determine. Panics for another kind.
pub trait TypedArgs<B: Backend> {
    /// Takes operand `i`, a float tensor.
    fn float(&mut self, i: usize) -> FloatTensor<B>;

    /// Takes operand `i`, an integer tensor.
    fn int(&mut self, i: usize) -> IntTensor<B>;

    /// Takes operand `i`, a bool tensor.
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

//! The interface of engines.

use mirage_ir::{DType, Graph, Node, Order, TensorData, TensorType, ops};

use crate::{Kernel, NodeContext, Stopwatch, by_definition};

/// A tensor of an engine. Cloning it copies a handle, not elements. Its shape is the physical one: the
/// dimensions in the sequence of memory, outermost first.
pub trait Tensor: Clone + Send + 'static {
    /// The physical shape.
    fn shape(&self) -> Vec<usize>;

    /// Returns the bytes of its elements.
    fn bytes(&self) -> u64;

    /// Returns the elements in the same sequence in another shape of the same size; a view if possible.
    #[must_use]
    fn reshape(self, shape: &[usize]) -> Self;

    /// Permutes dimensions: dimension `i` of the result is `axes[i]` of this tensor. May be a view.
    #[must_use]
    fn permute(self, axes: &[usize]) -> Self;

    /// Returns a contiguous tensor; the tensor itself if it is contiguous.
    #[must_use]
    fn contiguous(self) -> Self;
}

/// The name of an engine's own form of weights, in which elements may be rearranged and padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packing(pub &'static str);

/// Tensors on one device, and kernels that run on them.
///
/// Methods may panic: the runtime catches the panic and reports it as an error of the engine.
pub trait Engine: Clone + Send + Sync + 'static {
    /// The type of its tensors.
    type Tensor: Tensor;

    /// Returns the backend's name for errors.
    fn name(&self) -> &'static str;

    /// Whether the device can hold values of this dtype.
    fn holds(&self, dtype: DType) -> bool;

    /// Copies elements to the device in the given sequence and shape.
    ///
    /// # Errors
    /// If the device fails, for example because its memory is full.
    fn upload(&self, data: &TensorData) -> Result<Self::Tensor, String>;

    /// Copies elements from the device as `dtype`, in the sequence of the tensor's dimensions. Waits for the
    /// device.
    ///
    /// # Errors
    /// If the device fails.
    fn download(&self, tensor: Self::Tensor, dtype: DType) -> Result<TensorData, String>;

    /// Returns a tensor of zeros of this physical shape.
    ///
    /// # Errors
    /// If the device fails.
    fn zeros(&self, shape: &[usize], dtype: DType) -> Result<Self::Tensor, String>;

    /// Returns the engine's own kernel for this node, or `None` to use the generic one. A region without an
    /// own kernel is replaced by its body.
    fn kernel(&self, _cx: &NodeContext<'_>) -> Option<Kernel<Self::Tensor>> {
        None
    }

    /// Returns the generic kernel of a node that is not a region. The default evaluates the operation's
    /// definition on the host: [`by_definition`].
    ///
    /// # Errors
    /// If the engine cannot run the operation; the message says why.
    fn generic(&self, cx: &NodeContext<'_>) -> Result<Kernel<Self::Tensor>, String> {
        by_definition(self, cx)
    }

    /// Returns the preferred memory order of this operand. If it is a weight and all nodes that read it
    /// prefer the same order, it is converted once at compile. The default is row-major for the weights of
    /// convolutions and no preference for others.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = node.op.is::<ops::Conv>() || node.op.is::<ops::ConvTranspose>();
        (is_convolution && operand == 1)
            .then(|| Order::row_major(graph.ty(node.inputs[operand]).rank()))
    }

    /// Returns the preferred packed form of this operand. If it is a weight and all nodes that read it prefer
    /// the same form, it is converted once at compile by [`Engine::pack`], and [`NodeContext::packed`] is
    /// set. Takes precedence over [`Engine::weight_order`].
    fn packing(&self, _graph: &Graph, _node: &Node, _operand: usize) -> Option<Packing> {
        None
    }

    /// Converts a weight of type `ty` to the form of [`Engine::packing`]. The engine chooses its shape.
    fn pack(&self, _packing: Packing, _ty: &TensorType, weight: Self::Tensor) -> Self::Tensor {
        weight
    }

    /// Whether this node accepts operands with any strides, so that a permute before it copies nothing. By
    /// default, matrix products and permutes do.
    fn takes_views(&self, _graph: &Graph, node: &Node) -> bool {
        node.op.is::<ops::Matmul>() || node.op.is::<ops::Permute>()
    }

    /// Runs an execution. An engine may run it on one of its own threads.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        execution();
    }

    /// Waits until the device has finished all work.
    ///
    /// # Errors
    /// If the device fails.
    fn synchronize(&self) -> Result<(), String> {
        Ok(())
    }

    /// Returns a stopwatch that times nodes by the device's clock in a profile; `None` for the host's clock.
    /// It allocates device resources only when it starts.
    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        None
    }

    /// Returns notes for the user on this graph, a line each. `graph` is the given graph, `flat` the one that
    /// runs.
    fn notes(&self, _graph: &Graph, _flat: &Graph) -> Vec<String> {
        Vec::new()
    }
}

//! What an engine brings.

use mirage_ir::{DType, Graph, Node, Order, TensorData, TensorType, ops};

use crate::{Kernel, NodeContext, Stopwatch, by_definition};

/// A tensor of an engine. Cloning it copies a handle, not elements. Its shape is the physical one: the
/// dimensions in the sequence in which they lie in memory, outermost first.
pub trait Tensor: Clone + Send + 'static {
    /// The physical shape.
    fn shape(&self) -> Vec<usize>;

    /// The bytes of its elements.
    fn bytes(&self) -> u64;

    /// The same elements in sequence under another shape with as many elements. A view where the engine
    /// can make one.
    #[must_use]
    fn reshape(self, shape: &[usize]) -> Self;

    /// Permutes dimensions: dimension `i` of the result is `axes[i]` of this tensor. May be a view.
    #[must_use]
    fn permute(self, axes: &[usize]) -> Self;

    /// The tensor with its elements in sequence; itself where they already are.
    #[must_use]
    fn contiguous(self) -> Self;
}

/// The name of a form in which an engine's kernels read a weight: elements in a sequence of their own,
/// perhaps padded. Only the engine knows what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Packing(pub &'static str);

/// Tensors on one device, and kernels that run on them.
///
/// Methods may panic as the libraries behind them do: the runtime catches a panic and reports it as an
/// error of this engine.
pub trait Engine: Clone + Send + Sync + 'static {
    /// Its tensors.
    type Tensor: Tensor;

    /// The backend's name in errors.
    fn name(&self) -> &'static str;

    /// Whether the device can hold values of this dtype.
    fn holds(&self, dtype: DType) -> bool;

    /// Copies elements to the device, in the sequence and shape given.
    ///
    /// # Errors
    /// The device refuses, for example because its memory is full.
    fn upload(&self, data: &TensorData) -> Result<Self::Tensor, String>;

    /// Copies elements from the device as `dtype`, in the sequence of the tensor's dimensions. Waits for
    /// the device.
    ///
    /// # Errors
    /// The device fails.
    fn download(&self, tensor: Self::Tensor, dtype: DType) -> Result<TensorData, String>;

    /// A tensor of zeros of this physical shape.
    ///
    /// # Errors
    /// The device refuses.
    fn zeros(&self, shape: &[usize], dtype: DType) -> Result<Self::Tensor, String>;

    /// The engine's own kernel for this node, or `None` for the generic one. A region for which there is
    /// no own kernel is replaced by its body.
    fn kernel(&self, _cx: &NodeContext<'_>) -> Option<Kernel<Self::Tensor>> {
        None
    }

    /// The generic kernel of a node that is no region. The default computes the operation by its
    /// definition, on the host: [`by_definition`].
    ///
    /// # Errors
    /// The operation cannot run here; the message says why.
    fn generic(&self, cx: &NodeContext<'_>) -> Result<Kernel<Self::Tensor>, String> {
        by_definition(self, cx)
    }

    /// The memory order in which this operand is wanted if it is a weight and all nodes that read it want
    /// the same. It is converted once, at compile. The default is row-major for the weights of
    /// convolutions and no preference for others.
    fn weight_order(&self, graph: &Graph, node: &Node, operand: usize) -> Option<Order> {
        let is_convolution = node.op.is::<ops::Conv>() || node.op.is::<ops::ConvTranspose>();
        (is_convolution && operand == 1)
            .then(|| Order::row_major(graph.ty(node.inputs[operand]).rank()))
    }

    /// The form in which this operand is wanted if it is a weight and all nodes that read it want the
    /// same. It is converted once, at compile, by [`Engine::pack`], and [`NodeContext::packed`] says so.
    /// Takes precedence over [`Engine::weight_order`].
    fn packing(&self, _graph: &Graph, _node: &Node, _operand: usize) -> Option<Packing> {
        None
    }

    /// A weight of type `ty` in the form that [`Engine::packing`] asked for. Its shape is up to the
    /// engine.
    fn pack(&self, _packing: Packing, _ty: &TensorType, weight: Self::Tensor) -> Self::Tensor {
        weight
    }

    /// Whether this node reads operands with any strides, so that a permutation before it need not move
    /// elements. Matrix products and permutations do by default.
    fn takes_views(&self, _graph: &Graph, node: &Node) -> bool {
        node.op.is::<ops::Matmul>() || node.op.is::<ops::Permute>()
    }

    /// Runs an execution. An engine with threads of its own may run it on one of them.
    fn run(&self, execution: &mut (dyn FnMut() + Send)) {
        execution();
    }

    /// Waits until the device has done everything asked of it.
    ///
    /// # Errors
    /// The device fails.
    fn synchronize(&self) -> Result<(), String> {
        Ok(())
    }

    /// Times nodes by the device's clock in a profile; `None` for the host's clock. Making one costs
    /// nothing: what it needs on the device it allocates when it starts.
    fn stopwatch(&self) -> Option<Box<dyn Stopwatch>> {
        None
    }

    /// What a user should know of this graph on this engine, a line each. `graph` is as it was given,
    /// `flat` as it runs.
    fn notes(&self, _graph: &Graph, _flat: &Graph) -> Vec<String> {
        Vec::new()
    }
}

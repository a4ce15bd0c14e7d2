//! The generic instruction of every operation, a file for each family.

mod attention;
mod binary;
mod cast;
mod conv;
mod create;
mod external;
mod index;
mod linear;
mod norm;
mod pool;
mod reduce;
mod resize;
mod shape;
mod softmax;
mod unary;

use burn_backend::{Backend, tensor::FloatTensor};
use mirage_ir::{DType, Graph, Node, Order, TensorType};

use super::{Align, Args, Engine, Kernel, Storage, Tensor, layout};

/// A node on its way to an instruction.
pub struct NodeContext<'a, B: Backend> {
    /// The graph that it belongs to: the compiled one, or a region's body.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
    /// The types of its operands as they are held; a weight may be held in another order than the
    /// graph says (see [`super::Kernels::weight_order`]).
    pub inputs: Vec<TensorType>,
    /// For each operand whether it is a weight in the form of [`super::Kernels::packing`], which no
    /// generic instruction takes.
    pub packed: Vec<bool>,
    /// The types of its results.
    pub outputs: Vec<TensorType>,
    /// The backend.
    pub engine: &'a Engine<B>,
    /// How the device stores elements.
    pub storage: Storage,
    /// Whether all that take its results take them with any strides.
    pub feeds_views: bool,
    /// Whether a result leaves the graph.
    pub leaves: bool,
}

/// `None` if the operation is of another family, an error if it cannot run here.
type Lowered<B> = Option<Result<Kernel<B>, String>>;

type Family<B> = fn(&NodeContext<'_, B>) -> Lowered<B>;

impl<B: Backend> NodeContext<'_, B> {
    /// Operand `i` seen row-major, so that its physical shape is its logical one.
    pub fn logical(&self, i: usize) -> Align {
        Align::to_logical(&self.inputs[i])
    }

    /// A row-major first result brought to the order of its type.
    pub fn physical(&self) -> Align {
        Align::from_logical(&self.outputs[0])
    }

    /// Operand `i` seen in the order of the first result, for elementwise work.
    pub fn in_result_order(&self, i: usize) -> Align {
        Align::new(&self.inputs[i], &self.outputs[0].order)
    }

    /// The dimension of the first operand's physical shape where its logical `dim` lies.
    pub fn place(&self, dim: usize) -> usize {
        layout::place(&self.inputs[0], dim)
    }

    /// Values by logical dimension in the sequence of the first operand's memory.
    pub fn in_memory<T: Clone>(&self, by_dim: &[T]) -> Vec<T> {
        layout::in_memory(&self.inputs[0], by_dim)
    }
}

/// The generic kernel of a node, or why there is none.
pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Result<Kernel<B>, String> {
    let families: [Family<B>; 15] = [
        attention::lower,
        binary::lower,
        cast::lower,
        conv::lower,
        create::lower,
        external::lower,
        index::lower,
        linear::lower,
        norm::lower,
        pool::lower,
        reduce::lower,
        resize::lower,
        shape::lower,
        softmax::lower,
        unary::lower,
    ];
    families
        .iter()
        .find_map(|family| family(cx))
        .unwrap_or_else(|| {
            Err(
                "it is unknown to this backend: a newer version or a plugin made this graph"
                    .to_owned(),
            )
        })
}

/// A kernel with one result.
fn kernel<B: Backend>(
    f: impl Fn(&mut Args<'_, B>) -> Tensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    Box::new(move |args| {
        let result = f(args);
        args.set(0, result);
        Ok(())
    })
}

/// A kernel with one float result from one float operand, both as they lie.
fn float_map<B: Backend>(
    f: impl Fn(FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
) -> Kernel<B> {
    kernel(move |args| Tensor::Float(f(args.float(0))))
}

/// The dtype to sum up in: f32 for half precision, else the dtype itself.
fn accumulator(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) {
        DType::F32
    } else {
        dtype
    }
}

/// A float tensor in another dtype; itself if it has it already.
fn cast_float<B: Backend>(
    x: FloatTensor<B>,
    from: DType,
    to: DType,
    storage: &Storage,
) -> FloatTensor<B> {
    if from == to {
        x
    } else {
        B::float_cast(x, storage.float(to))
    }
}

/// Whether the type lies channels last, dimension 1 innermost.
fn is_channels_last(ty: &TensorType) -> bool {
    mirage_ir::same_layout(&ty.shape, &ty.order, &Order::channels_last(ty.rank()))
}

/// The numbers of a list, as many as the engine's function takes.
fn fixed<const N: usize>(values: &[usize]) -> [usize; N] {
    std::array::from_fn(|i| values[i])
}

//! Facts about a node for the choice of its kernel.

use mirage_ir::{DType, Graph, Node, TensorType, ops, regions::ELEMENTWISE};

use crate::{Align, layout};

/// A node for which a kernel is chosen.
#[derive(Clone)]
pub struct NodeContext<'a> {
    /// The graph that it belongs to: the compiled one, or the body of a region or call.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
    /// The types of its operands. A weight may have another order than the graph states (see
    /// [`crate::Engine::weight_order`]).
    pub inputs: Vec<TensorType>,
    /// For each operand, whether it is a weight in the form of [`crate::Engine::packing`], which generic
    /// kernels cannot read.
    pub packed: Vec<bool>,
    /// The types of its results.
    pub outputs: Vec<TensorType>,
    /// Whether all nodes that read its results accept any strides.
    pub feeds_views: bool,
    /// Whether a result is a result of the graph.
    pub leaves: bool,
}

impl NodeContext<'_> {
    /// Returns the conversion of operand `i` to row-major, in which the physical shape is the logical one.
    pub fn logical(&self, i: usize) -> Align {
        Align::to_logical(&self.inputs[i])
    }

    /// Returns the conversion of a row-major first result to the order of its type.
    pub fn physical(&self) -> Align {
        Align::from_logical(&self.outputs[0])
    }

    /// Returns the conversion of operand `i` to the order of the first result, for elementwise kernels.
    pub fn in_result_order(&self, i: usize) -> Align {
        Align::new(&self.inputs[i], &self.outputs[0].order)
    }

    /// Returns the physical dimension of the first operand's logical dimension `dim`.
    pub fn place(&self, dim: usize) -> usize {
        layout::place(&self.inputs[0], dim)
    }

    /// Reorders values by logical dimension into the first operand's physical dimensions.
    pub fn in_memory<T: Clone>(&self, by_dim: &[T]) -> Vec<T> {
        layout::in_memory(&self.inputs[0], by_dim)
    }

    /// Returns the node with f32 instead of f16 and bf16, for a kernel that computes in f32 while the runtime
    /// widens operands and rounds results. u8 becomes f32 too, if the node casts or moves elements or is an
    /// elementwise region; other arithmetic on bytes differs from that on floats.
    #[must_use]
    pub fn widened(&self) -> Self {
        let with_bytes = widens_bytes(self.node);
        let all = |types: &[TensorType]| {
            let wide = |ty: &TensorType| match ty.dtype {
                DType::U8 if with_bytes => ty.clone().with_dtype(DType::F32),
                _ => widened(ty),
            };
            types.iter().map(wide).collect()
        };
        NodeContext {
            inputs: all(&self.inputs),
            outputs: all(&self.outputs),
            ..self.clone()
        }
    }
}

/// Whether a kernel of this node may read and write bytes as f32.
fn widens_bytes(node: &Node) -> bool {
    let op = &node.op;
    let region = op.get::<ops::Region>();
    region.is_some_and(|r| r.kind == ELEMENTWISE)
        || op.is::<ops::Cast>()
        || op.is::<ops::Concat>()
        || op.is::<ops::Expand>()
        || op.is::<ops::Permute>()
        || op.is::<ops::Reorder>()
        || op.is::<ops::Reshape>()
        || op.is::<ops::Slice>()
}

/// Returns the type with f32 instead of f16 and bf16.
pub(crate) fn widened(ty: &TensorType) -> TensorType {
    match ty.dtype {
        DType::F16 | DType::BF16 => ty.clone().with_dtype(DType::F32),
        _ => ty.clone(),
    }
}

//! What a kernel for a node needs to know.

use mirage_ir::{DType, Graph, Node, TensorType, ops, regions::ELEMENTWISE};

use crate::{Align, layout};

/// A node that is about to get a kernel.
#[derive(Clone)]
pub struct NodeContext<'a> {
    /// The graph that it belongs to: the compiled one, or the body of a region or call.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
    /// The types of its operands as they are held. A weight may be held in another order than the graph
    /// states (see [`crate::Engine::weight_order`]).
    pub inputs: Vec<TensorType>,
    /// For each operand whether it is a weight in the form of [`crate::Engine::packing`], which no generic
    /// kernel reads.
    pub packed: Vec<bool>,
    /// The types of its results.
    pub outputs: Vec<TensorType>,
    /// Whether all nodes that read its results read them with any strides.
    pub feeds_views: bool,
    /// Whether a result is a result of the graph.
    pub leaves: bool,
}

impl NodeContext<'_> {
    /// From operand `i` to row-major, where its physical shape is its logical one.
    pub fn logical(&self, i: usize) -> Align {
        Align::to_logical(&self.inputs[i])
    }

    /// From a row-major first result to the order of its type.
    pub fn physical(&self) -> Align {
        Align::from_logical(&self.outputs[0])
    }

    /// From operand `i` to the order of the first result, for elementwise work.
    pub fn in_result_order(&self, i: usize) -> Align {
        Align::new(&self.inputs[i], &self.outputs[0].order)
    }

    /// The dimension of the first operand's physical shape at which its logical `dim` lies.
    pub fn place(&self, dim: usize) -> usize {
        layout::place(&self.inputs[0], dim)
    }

    /// Values by logical dimension, in the sequence of the first operand's memory.
    pub fn in_memory<T: Clone>(&self, by_dim: &[T]) -> Vec<T> {
        layout::in_memory(&self.inputs[0], by_dim)
    }

    /// The same node with f32 in place of f16 and bf16: what a kernel sees that computes in f32 and has
    /// its operands widened and its results rounded around it. Likewise f32 in place of u8, where the
    /// node casts or moves elements or is an elementwise region; arithmetic on bytes is not that on
    /// floats.
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

/// Whether bytes may be f32 for a kernel of this node.
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

/// The type, with f32 in place of f16 and bf16.
pub(crate) fn widened(ty: &TensorType) -> TensorType {
    match ty.dtype {
        DType::F16 | DType::BF16 => ty.clone().with_dtype(DType::F32),
        _ => ty.clone(),
    }
}

//! The layers that a scale or a shift is folded into, and their weights.

use mirage_ir::{
    Graph, GraphError, Node, NodeId, TensorType, ValueId,
    ops::{Binary, Conv, ConvTranspose, Expand, Linear, Reshape},
};
use mirage_pass::rewrite::At;

/// The input or the output channels of a layer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Side {
    Input,
    Output,
}

/// A convolution, transposed convolution or linear layer.
pub(super) struct Layer<'g> {
    pub(super) id: NodeId,
    pub(super) node: &'g Node,
    weight: &'g TensorType,
    groups: usize,
    /// The side whose channels are the weight's dimension 0. Dimension 1 has the other side's, by group.
    rows: Side,
    /// The channel dimension of operand and result.
    pub(super) axis: usize,
}

impl<'g> Layer<'g> {
    pub(super) fn of(graph: &'g Graph, id: NodeId, node: &'g Node) -> Option<Self> {
        let (groups, rows) = if let Some(conv) = node.op.get::<Conv>() {
            (conv.groups, Side::Output)
        } else if let Some(conv) = node.op.get::<ConvTranspose>() {
            (conv.groups, Side::Input)
        } else if node.op.is::<Linear>() {
            (1, Side::Input)
        } else {
            return None;
        };
        let x = graph.ty(node.inputs[0]);
        Some(Layer {
            id,
            node,
            weight: graph.ty(node.inputs[1]),
            groups,
            rows,
            axis: if node.op.is::<Linear>() {
                x.rank() - 1
            } else {
                1
            },
        })
    }

    pub(super) fn channels(&self, side: Side) -> usize {
        if side == self.rows {
            self.weight.shape[0]
        } else {
            self.weight.shape[1] * self.groups
        }
    }

    /// Returns the weight with each element multiplied by the factor of its channel on this side.
    pub(super) fn scaled_weight(
        &self,
        at: &mut At,
        factors: ValueId,
        side: Side,
    ) -> Result<ValueId, GraphError> {
        let [rows, columns] = [self.weight.shape[0], self.weight.shape[1]];
        let mut shape = vec![1; self.weight.rank()];
        let factors = if side == self.rows {
            shape[0] = rows;
            factors
        } else if self.groups == 1 {
            shape[1] = columns;
            factors
        } else {
            // The rows of a group are multiplied by the factors of that group.
            let by_group = at.op(Reshape::to([self.groups, 1, columns]), &[factors])?;
            (shape[0], shape[1]) = (rows, columns);
            let every_row = Expand {
                shape: vec![self.groups, rows / self.groups, columns],
            };
            at.op(every_row, &[by_group])?
        };
        let factors = at.op(Reshape::to(shape), &[factors])?;
        at.op(Binary::Mul, &[self.node.inputs[1], factors])
    }

    /// Returns the weight's dimensions over which the layer sums.
    pub(super) fn summed_dims(&self) -> Vec<usize> {
        match self.rows {
            Side::Output => (1..self.weight.rank()).collect(),
            Side::Input => vec![0],
        }
    }

    /// Whether every output element sums over the whole filter, so that a shift of the operand adds the
    /// same value to each.
    pub(super) fn reaches_every_element(&self) -> bool {
        match self.node.op.get::<Conv>() {
            Some(conv) => conv.padding.iter().all(|&p| p == 0),
            None => self.node.op.is::<Linear>(),
        }
    }
}

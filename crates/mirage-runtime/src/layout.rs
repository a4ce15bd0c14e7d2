//! Between memory orders.

use mirage_ir::{Order, TensorType, same_layout};

use crate::Tensor;

/// How to get from a tensor in one memory order to the same tensor in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Align {
    /// Nothing.
    Same,
    /// Another shape of the same memory: only dimensions of size 1 move.
    Reshape(Vec<usize>),
    /// A permuted view.
    Permute(Vec<usize>),
}

impl Align {
    /// From the order of `ty` to the order `to`, of the same rank.
    pub fn new(ty: &TensorType, to: &Order) -> Self {
        let place = ty.order.inverse();
        let axes: Vec<usize> = to.dims().map(|d| place[d]).collect();
        if axes.iter().enumerate().all(|(i, &a)| i == a) {
            Align::Same
        } else if same_layout(&ty.shape, &ty.order, to) {
            Align::Reshape(to.dims().map(|d| ty.shape[d]).collect())
        } else {
            Align::Permute(axes)
        }
    }

    /// From the order of `ty` to row-major, in which the physical shape is the logical one.
    pub fn to_logical(ty: &TensorType) -> Self {
        Self::new(ty, &Order::row_major(ty.rank()))
    }

    /// From row-major to the order of `ty`.
    pub fn from_logical(ty: &TensorType) -> Self {
        Self::new(&TensorType::new(ty.dtype, &ty.shape[..]), &ty.order)
    }

    /// The tensor in the other order, as a view.
    pub fn view<T: Tensor>(&self, tensor: T) -> T {
        match self {
            Align::Same => tensor,
            Align::Reshape(shape) => tensor.reshape(shape),
            Align::Permute(axes) => tensor.permute(axes),
        }
    }

    /// The tensor in the other order, laid out so in memory. Costs nothing when it already lies so.
    pub fn lay_out<T: Tensor>(&self, tensor: T) -> T {
        match self {
            Align::Permute(_) => self.view(tensor).contiguous(),
            _ => self.view(tensor),
        }
    }
}

/// Where the logical dimension `dim` lies in memory.
pub fn place(ty: &TensorType, dim: usize) -> usize {
    ty.order.inverse()[dim]
}

/// Values that belong to logical dimensions, in the sequence of memory.
pub fn in_memory<T: Clone>(ty: &TensorType, by_dim: &[T]) -> Vec<T> {
    ty.order.dims().map(|d| by_dim[d].clone()).collect()
}

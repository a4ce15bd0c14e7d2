//! Conversions between memory orders.

use mirage_ir::{Order, TensorType, same_layout};

use crate::Tensor;

/// A conversion of a tensor from one memory order to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Align {
    /// No change.
    Same,
    /// Another shape of the same memory, because only dimensions of size 1 move.
    Reshape(Vec<usize>),
    /// A permuted view.
    Permute(Vec<usize>),
}

impl Align {
    /// Returns the conversion from the order of `ty` to the order `to` of the same rank.
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

    /// Returns the conversion from the order of `ty` to row-major, in which the physical shape is the logical
    /// one.
    pub fn to_logical(ty: &TensorType) -> Self {
        Self::new(ty, &Order::row_major(ty.rank()))
    }

    /// Returns the conversion from row-major to the order of `ty`.
    pub fn from_logical(ty: &TensorType) -> Self {
        Self::new(&TensorType::new(ty.dtype, &ty.shape[..]), &ty.order)
    }

    /// Converts the tensor as a view.
    pub fn view<T: Tensor>(&self, tensor: T) -> T {
        match self {
            Align::Same => tensor,
            Align::Reshape(shape) => tensor.reshape(shape),
            Align::Permute(axes) => tensor.permute(axes),
        }
    }

    /// Converts the tensor and makes it contiguous. Free if the conversion changes nothing.
    pub fn lay_out<T: Tensor>(&self, tensor: T) -> T {
        match self {
            Align::Permute(_) => self.view(tensor).contiguous(),
            _ => self.view(tensor),
        }
    }
}

/// Returns the physical dimension of the logical dimension `dim`.
pub fn place(ty: &TensorType, dim: usize) -> usize {
    ty.order.inverse()[dim]
}

/// Reorders values by logical dimension into physical dimensions.
pub fn in_memory<T: Clone>(ty: &TensorType, by_dim: &[T]) -> Vec<T> {
    ty.order.dims().map(|d| by_dim[d].clone()).collect()
}

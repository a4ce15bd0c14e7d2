//! Weights in the form that the product reads: panels of 32 columns, tile by tile of depth, so that
//! what a cube reads at once lies together.

use burn_cubecl::{Cube, CubeDevice};
use mirage_burn::{Align, Storage, Tensor};
use mirage_ir::{Scalar, TensorType};

use super::{
    multiply::{PANEL, depth},
    plan::packed_rows,
};

/// A weight `[O,C,kh,kw]` as rows O of (kh, kw, C).
pub(crate) fn convolution(ty: &TensorType, weight: Tensor<Cube>) -> Tensor<Cube> {
    let [columns, depth] = [ty.shape[0], ty.shape[1..].iter().product()];
    let logical = Align::to_logical(ty).view(weight);
    let rows = logical.permute(&[0, 2, 3, 1]).contiguous();
    panels(rows.reshape(&[columns, depth]), columns, depth, ty)
}

/// A weight `[in,out]` as rows of `in`.
pub(crate) fn linear(ty: &TensorType, weight: Tensor<Cube>) -> Tensor<Cube> {
    let [depth, columns] = [ty.shape[0], ty.shape[1]];
    let logical = Align::to_logical(ty).view(weight);
    let rows = logical.permute(&[1, 0]).contiguous();
    panels(rows, columns, depth, ty)
}

fn panels(rows: Tensor<Cube>, columns: usize, len: usize, ty: &TensorType) -> Tensor<Cube> {
    let device: CubeDevice = rows.device();
    let depth = depth(ty.dtype.size());
    let shape = [packed_rows(columns), len.next_multiple_of(depth)];
    let whole = if shape == [columns, len] {
        rows
    } else {
        let storage = Storage::of::<Cube>(&device);
        let zeros = Tensor::full(&shape, Scalar::Int(0), ty.dtype, &storage, &device);
        let part = [0..columns, 0..len].map(burn_backend::Slice::from);
        zeros.slice_assign(&part, rows)
    };
    let tiles = [shape[0] / PANEL, PANEL, shape[1] / depth, depth];
    let panels = whole.reshape(&tiles).permute(&[0, 2, 1, 3]).contiguous();
    panels.reshape(&[shape[0] * shape[1]])
}

//! Contiguous tensors of the engine as arguments of kernels.

use burn_backend::{DType, Shape};
use burn_cubecl::{
    Cube, kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor,
};
use cubecl::{ir::ElemType, prelude::BufferArg};
use mirage_burn::Tensor;

/// The alignment of a device's widest load in bytes.
const ALIGNMENT: u64 = 16;

/// Returns a contiguous and aligned tensor; the tensor itself if it is contiguous and
/// aligned.
pub(crate) fn in_sequence(tensor: Tensor<Cube>) -> CubeTensor {
    let tensor = match tensor {
        Tensor::Float(t) | Tensor::Int(t) | Tensor::Bool(t) => t,
    };
    let tensor = into_contiguous(tensor);
    let start = tensor.handle.offset_start.unwrap_or(0);
    if start.is_multiple_of(ALIGNMENT) {
        return tensor;
    }
    let copy = empty(&tensor, &tensor.meta.shape().to_vec(), tensor.dtype);
    super::copy::copy(&tensor, &copy);
    copy
}

/// Returns a contiguous tensor of these dimensions with arbitrary content, on the device of `like`.
pub(crate) fn empty(like: &CubeTensor, shape: &[usize], dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(
        like.client.clone(),
        like.device.clone(),
        Shape::from(shape),
        dtype,
    )
}

/// Returns the tensor as an argument of a kernel that moves `line` elements at once.
#[allow(unsafe_code)]
pub(crate) fn argument(tensor: &CubeTensor, line: usize) -> BufferArg {
    let len = tensor.meta.num_elements() / line;
    // SAFETY: the tensor is contiguous, so its handle has that many vectors.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), len) }
}

/// Returns the engine's type for a tensor's element type.
pub(crate) fn element(tensor: &CubeTensor) -> ElemType {
    burn_backend::cubecl::dtype_to_storage_type(tensor.dtype)
}

/// Returns the largest power of two of elements, at most 16 bytes, that divides all `lengths`.
pub(crate) fn line(lengths: &[usize], dtype: DType) -> usize {
    let widest = ALIGNMENT as usize / dtype.size();
    (0..)
        .map(|i| widest >> i)
        .find(|&l| lengths.iter().all(|n| n % l == 0))
        .unwrap_or(1)
}

/// Returns the number of cubes of `units` for one unit for each of `work` pieces.
pub(crate) fn cubes(work: usize, units: usize) -> cubecl::CubeCount {
    cubecl::CubeCount::Static(work.div_ceil(units) as u32, 1, 1)
}

//! Tensors of the engine as kernels see them: elements in sequence.

use burn_backend::{DType, Shape};
use burn_cubecl::{
    Cube, kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor,
};
use cubecl::{ir::ElemType, prelude::BufferArg};
use mirage_burn::Tensor;

/// What the widest load of a device wants its address to be a multiple of, in bytes.
const ALIGNMENT: u64 = 16;

/// The tensor with its elements in sequence, from an address that vectors can be loaded from; itself
/// where it lies so already.
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

/// A tensor of these dimensions with arbitrary content, in sequence, where `like` lies.
pub(crate) fn empty(like: &CubeTensor, shape: &[usize], dtype: DType) -> CubeTensor {
    empty_device_contiguous_dtype(
        like.client.clone(),
        like.device.clone(),
        Shape::from(shape),
        dtype,
    )
}

/// The tensor as an argument of a kernel that moves `line` elements at once.
#[allow(unsafe_code)]
pub(crate) fn argument(tensor: &CubeTensor, line: usize) -> BufferArg {
    let len = tensor.meta.num_elements() / line;
    // SAFETY: the tensor lies in sequence, so its handle has that many vectors.
    unsafe { BufferArg::from_raw_parts(tensor.handle.clone(), len) }
}

/// The engine's name of a tensor's element type.
pub(crate) fn element(tensor: &CubeTensor) -> ElemType {
    burn_backend::cubecl::dtype_to_storage_type(tensor.dtype)
}

/// The most elements, of at most 16 bytes and a power of two, that divide every one of `lengths`.
pub(crate) fn line(lengths: &[usize], dtype: DType) -> usize {
    let widest = ALIGNMENT as usize / dtype.size();
    (0..)
        .map(|i| widest >> i)
        .find(|&l| lengths.iter().all(|n| n % l == 0))
        .unwrap_or(1)
}

/// The number of cubes of `units` that give each of `work` pieces a unit.
pub(crate) fn cubes(work: usize, units: usize) -> cubecl::CubeCount {
    cubecl::CubeCount::Static(work.div_ceil(units) as u32, 1, 1)
}

//! Copies elements of one tensor to another existing one.

use burn_cubecl::tensor::CubeTensor;
use cubecl::{CubeDim, prelude::*};

use super::device::{argument, cubes, element};

const UNITS: usize = 256;

/// A unit for each vector.
#[cube(launch_unchecked)]
pub(crate) fn copy_kernel<E: Numeric, N: Size>(
    from: &[Vector<E, N>],
    to: &mut [Vector<E, N>],
    len: u32,
    #[define(E)] _dtype: ElemType,
) {
    if (ABSOLUTE_POS as u32) < len {
        to[ABSOLUTE_POS] = from[ABSOLUTE_POS];
    }
}

/// Copies the elements of `from` to `to`, which has the same number of elements and type; both are
/// contiguous.
#[allow(unsafe_code)]
pub(crate) fn copy(from: &CubeTensor, to: &CubeTensor) {
    let len = from.meta.num_elements();
    let aligned = |t: &CubeTensor| t.handle.offset_start.unwrap_or(0).is_multiple_of(16);
    let line = match aligned(from) && aligned(to) {
        true => super::device::line(&[len], from.dtype),
        false => 1,
    };
    let work = len / line;
    // SAFETY: no unit goes beyond `len`, and both tensors have that many elements.
    unsafe {
        copy_kernel::launch_unchecked(
            &to.client,
            cubes(work, UNITS),
            CubeDim::new_1d(UNITS as u32),
            line,
            argument(from, line),
            argument(to, line),
            work as u32,
            element(from),
        );
    }
}

//! Tensors borrowed from the host.

use std::ffi::c_void;

use mirage_ir::{TensorData, TensorType};

use super::{argument, session};
use crate::{
    abi::{Host, Tensor},
    message::ErrorForm,
};

/// Elements of the host, retained until this is dropped.
struct BorrowedElements {
    data: *const u8,
    len: usize,
    owner: *const c_void,
    host: Host,
}

// SAFETY: the bytes are not written while they are lent, and the header lets any thread release
// them.
unsafe impl Send for BorrowedElements {}
// SAFETY: as above.
unsafe impl Sync for BorrowedElements {}

impl AsRef<[u8]> for BorrowedElements {
    fn as_ref(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the bytes are valid until the release in `drop`.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for BorrowedElements {
    fn drop(&mut self) {
        if let Some(release) = self.host.release {
            // SAFETY: what was retained once is released once.
            unsafe { release(self.owner) }
        }
    }
}

/// Returns the name, type and elements of a tensor of the host, without a copy.
///
/// # Safety
/// The tensor is lent by the host for the running call.
pub(super) unsafe fn borrow(
    tensor: &Tensor,
) -> Result<(String, TensorType, TensorData), ErrorForm> {
    // SAFETY: the caller's promise.
    let (name, ty) = unsafe { (tensor.name.get(), tensor.ty.get()) };
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map_err(|_| argument("a text is not UTF-8"))
    };
    let (name, ty) = (text(name)?, text(ty)?);
    let ty: TensorType = ty.parse().map_err(argument)?;
    let host = session()?.host;
    let data = match (host.retain, host.release) {
        (Some(retain), Some(_)) => {
            // SAFETY: the owner is the host's own.
            unsafe { retain(tensor.owner) };
            let lent = BorrowedElements {
                data: tensor.data.data,
                len: tensor.data.len,
                owner: tensor.owner,
                host,
            };
            TensorData::new(ty.dtype, ty.shape.clone(), lent)
        }
        // The host lends the elements for this call only.
        // SAFETY: the caller's promise.
        _ => TensorData::new(
            ty.dtype,
            ty.shape.clone(),
            unsafe { tensor.data.get() }.to_vec(),
        ),
    };
    Ok((name, ty, data.map_err(argument)?))
}

/// Writes elements into memory of the host.
///
/// # Safety
/// `place` points at `len` initialized bytes of the host's, lent for the running call.
pub(super) unsafe fn give(data: &TensorData, place: *mut u8, len: usize) -> Result<(), ErrorForm> {
    let bytes = data.bytes();
    if bytes.len() != len {
        return Err(argument(format!(
            "the tensor has {} bytes, but the host's memory for it has {len}",
            bytes.len()
        )));
    }
    if len > 0 {
        // SAFETY: the caller's promise; the two cannot overlap, for the place is lent to us alone.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, len) }
    }
    Ok(())
}

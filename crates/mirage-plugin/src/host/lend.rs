//! Tensors lent to a plugin without a copy, alive as long as they are retained.

use std::{ffi::c_void, sync::Arc};

use mirage_ir::{TensorData, TensorType};

use crate::abi::{Bytes, Tensor};

/// A tensor and its form in the ABI.
pub(super) struct Loan<'a> {
    name: &'a str,
    ty: String,
    data: Arc<TensorData>,
}

impl<'a> Loan<'a> {
    /// Returns a tensor of this type; the name is that of a parameter, or empty.
    pub(super) fn new(name: &'a str, ty: &TensorType, data: &TensorData) -> Self {
        Loan {
            name,
            ty: ty.to_string(),
            data: Arc::new(data.clone()),
        }
    }

    /// Returns the form for the plugin, valid while `self` lives. A plugin that retains the owner may use the
    /// elements longer.
    pub(super) fn tensor(&self) -> Tensor {
        Tensor {
            name: Bytes::of(self.name.as_bytes()),
            ty: Bytes::of(self.ty.as_bytes()),
            data: Bytes::of(self.data.bytes()),
            owner: Arc::as_ptr(&self.data).cast::<c_void>(),
        }
    }
}

/// # Safety
/// `owner` is one of a tensor that is lent now, or one that is retained.
pub(super) unsafe extern "C" fn retain(owner: *const c_void) {
    if !owner.is_null() {
        // SAFETY: the caller's promise: it is of `Arc::as_ptr`, and the count is above 0.
        unsafe { Arc::increment_strong_count(owner.cast::<TensorData>()) }
    }
}

/// # Safety
/// `owner` was given to [`retain`] once more than to this function.
pub(super) unsafe extern "C" fn release(owner: *const c_void) {
    if !owner.is_null() {
        // SAFETY: the caller's promise.
        unsafe { Arc::decrement_strong_count(owner.cast::<TensorData>()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_live_as_long_as_somebody_holds_them() {
        let data = TensorData::from_f32([2], &[1.0, 2.0]).unwrap();
        let ty = TensorType::new(data.dtype, [2]);
        let loan = Loan::new("w", &ty, &data);
        let lent = loan.tensor();
        // No copy: the plugin sees the very bytes.
        assert_eq!(lent.data.data, data.bytes().as_ptr());
        let held = Arc::downgrade(&loan.data);
        // SAFETY: the owner is lent now.
        unsafe { retain(lent.owner) };
        drop((loan, data));
        assert!(held.upgrade().is_some());
        // SAFETY: retained above.
        assert_eq!(unsafe { lent.data.get() }, [0, 0, 128, 63, 0, 0, 0, 64]);
        // SAFETY: retained above.
        unsafe { release(lent.owner) };
        assert!(held.upgrade().is_none());
    }
}

//! How a device stores each element type.

use burn_backend::{
    Backend, BoolDType, BoolStore, DType as BurnDType, FloatDType, IntDType,
    get_or_init_device_settings, tensor::Device,
};
use mirage_ir::DType;

/// How a device stores each element type: floats in their dtype, integers in their dtype or, if the engine
/// does not support it, in 64 bits, and bools in the engine's own form.
#[derive(Clone, Copy, Debug)]
pub struct Storage {
    bool: BoolDType,
    /// Bit i: the device supports `DType::ALL[i]`.
    native: u16,
}

impl Storage {
    /// The form of bools in bytes on the host.
    pub(super) const HOST_BOOL: BurnDType = BurnDType::Bool(BoolStore::Native);

    /// Asks the device how it stores elements.
    pub fn of<B: Backend>(device: &Device<B>) -> Self {
        let has = |d: DType| d == DType::Bool || B::supports_dtype(device, dtype_of(d));
        let native = DType::ALL
            .iter()
            .enumerate()
            .filter(|&(_, &d)| has(d))
            .fold(0, |bits, (i, _)| bits | 1 << i);
        Storage {
            bool: get_or_init_device_settings::<B>(device).bool_dtype,
            native,
        }
    }

    /// Whether the device supports this element type itself.
    pub fn is_native(&self, dtype: DType) -> bool {
        DType::ALL
            .iter()
            .position(|&d| d == dtype)
            .is_some_and(|i| self.native >> i & 1 == 1)
    }

    /// Whether the device can store values of this type.
    pub fn holds(&self, dtype: DType) -> bool {
        self.is_native(dtype) || (dtype.is_int() && self.is_native(DType::I64))
    }

    /// Returns the engine's type for a float `dtype`.
    pub fn float(&self, dtype: DType) -> FloatDType {
        dtype_of(dtype).into()
    }

    /// Returns the engine's type for an integer `dtype`.
    pub fn int(&self, dtype: DType) -> IntDType {
        if self.is_native(dtype) {
            int(dtype)
        } else {
            IntDType::I64
        }
    }

    /// Returns the engine's bool type.
    pub fn bool(&self) -> BoolDType {
        self.bool
    }
}

/// Returns burn's integer type.
pub(super) fn int(dtype: DType) -> IntDType {
    dtype_of(dtype).into()
}

/// Returns burn's element type; bool in the host's form.
pub(super) fn dtype_of(dtype: DType) -> BurnDType {
    match dtype {
        DType::F64 => BurnDType::F64,
        DType::F32 => BurnDType::F32,
        DType::F16 => BurnDType::F16,
        DType::BF16 => BurnDType::BF16,
        DType::I64 => BurnDType::I64,
        DType::I32 => BurnDType::I32,
        DType::I16 => BurnDType::I16,
        DType::I8 => BurnDType::I8,
        DType::U64 => BurnDType::U64,
        DType::U32 => BurnDType::U32,
        DType::U16 => BurnDType::U16,
        DType::U8 => BurnDType::U8,
        DType::Bool => Storage::HOST_BOOL,
    }
}

/// Returns the graph's element type; `None` if the graph has no such type.
pub(super) fn from_burn(dtype: BurnDType) -> Option<DType> {
    match dtype {
        BurnDType::Bool(_) => Some(DType::Bool),
        other => DType::ALL.into_iter().find(|&d| dtype_of(d) == other),
    }
}

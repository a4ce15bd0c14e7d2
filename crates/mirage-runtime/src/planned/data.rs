//! Elements in host memory, in the memory order of their type.

use mirage_ir::{DType, TensorData, TensorType};

use super::program::floats_of;
use crate::{Align, Engine};

/// The elements of an input, an output or a state.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    /// f32.
    Floats(Vec<f32>),
    /// Any other dtype.
    Bytes(Vec<u8>),
}

/// Mutable elements.
pub(super) enum Elements<'a> {
    Floats(&'a mut [f32]),
    Bytes(&'a mut [u8]),
}

impl Data {
    /// Returns zeros of a type.
    pub(super) fn zeros(ty: &TensorType) -> Self {
        if ty.dtype == DType::F32 {
            Data::Floats(vec![0.0; ty.numel()])
        } else {
            Data::Bytes(vec![0; ty.bytes()])
        }
    }

    /// Returns the number of bytes.
    pub(super) fn len_bytes(&self) -> u64 {
        match self {
            Data::Floats(x) => size_of_val(&x[..]) as u64,
            Data::Bytes(x) => x.len() as u64,
        }
    }

    /// Returns the floats. The type of the value guarantees that there are some.
    pub(super) fn floats(&self) -> &[f32] {
        match self {
            Data::Floats(x) => x,
            Data::Bytes(_) => unreachable!("data of type f32"),
        }
    }

    /// Returns the bytes of another dtype than f32.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Data::Bytes(x) => x,
            Data::Floats(_) => unreachable!("data of another type than f32"),
        }
    }

    /// Returns the mutable elements.
    pub(super) fn elements(&mut self) -> Elements<'_> {
        match self {
            Data::Floats(x) => Elements::Floats(x),
            Data::Bytes(x) => Elements::Bytes(x),
        }
    }

    /// Returns the elements with a physical shape.
    pub(super) fn to_tensor_data(
        &self,
        dtype: DType,
        shape: Vec<usize>,
    ) -> Result<TensorData, String> {
        match self {
            Data::Floats(x) => TensorData::from_f32(shape, x),
            Data::Bytes(x) => TensorData::new(dtype, shape, x.clone()),
        }
    }

    /// Converts logical row-major elements of a type.
    pub(super) fn from_logical<E: Engine>(
        data: &TensorData,
        ty: &TensorType,
        engine: &E,
    ) -> Result<Self, String> {
        let align = Align::from_logical(ty);
        if !matches!(align, Align::Permute(_)) {
            return Ok(Self::of_bytes(data.bytes(), ty.dtype));
        }
        let physical = align.lay_out(engine.upload(data)?);
        let physical = engine.download(physical, ty.dtype)?;
        Ok(Self::of_bytes(physical.bytes(), ty.dtype))
    }

    fn of_bytes(bytes: &[u8], dtype: DType) -> Self {
        if dtype == DType::F32 {
            Data::Floats(floats_of(bytes).collect())
        } else {
            Data::Bytes(bytes.to_vec())
        }
    }

    /// Overwrites the elements with others in the same memory order.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        match self {
            Data::Floats(x) => x.iter_mut().zip(floats_of(bytes)).for_each(|(x, v)| *x = v),
            Data::Bytes(x) => x.copy_from_slice(bytes),
        }
    }

    /// Copies the elements in the same memory order.
    pub(super) fn read(&self, bytes: &mut [u8]) {
        match self {
            Data::Floats(x) => {
                let (pieces, _) = bytes.as_chunks_mut::<4>();
                pieces
                    .iter_mut()
                    .zip(x)
                    .for_each(|(b, v)| *b = v.to_le_bytes());
            }
            Data::Bytes(x) => bytes.copy_from_slice(x),
        }
    }

    /// Converts to logical row-major elements.
    pub(super) fn to_logical<E: Engine>(
        &self,
        ty: &TensorType,
        engine: &E,
    ) -> Result<TensorData, String> {
        let align = Align::to_logical(ty);
        if !matches!(align, Align::Permute(_)) {
            return self.to_tensor_data(ty.dtype, ty.shape.clone());
        }
        let physical = self.to_tensor_data(ty.dtype, ty.physical_shape())?;
        engine.download(align.view(engine.upload(&physical)?), ty.dtype)
    }
}

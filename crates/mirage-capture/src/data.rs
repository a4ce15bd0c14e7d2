//! Converts burn's tensor data: parameters by reference, small constants by value.

use burn_backend::{BoolStore, DType as BurnDType, TensorData as BurnData};
use mirage_ir::{
    DType, Op, Scalar, TensorData, TensorType,
    ops::{Constant, Full},
};

use crate::{
    CaptureError,
    dtype::{dims, dtype},
};

/// Burn's data as the owner of its bytes.
struct Owner(BurnData);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Returns the type of a value; `what` names it in the error.
pub(crate) fn data_type(data: &BurnData, what: &str) -> Result<TensorType, CaptureError> {
    match dtype(data.dtype()) {
        Some(dtype) => Ok(TensorType::new(dtype, dims(data.shape()))),
        None => Err(CaptureError::DType {
            what: what.to_owned(),
            dtype: format!("{:?}", data.dtype()),
        }),
    }
}

/// Converts the data without a copy, except for bools that burn stores in words.
pub(crate) fn share(data: BurnData, what: &str) -> Result<TensorData, CaptureError> {
    let ty = data_type(&data, what)?;
    let shared = match data.dtype() {
        BurnDType::Bool(BoolStore::U32) => {
            let bytes: Vec<u8> = data.iter::<bool>().map(u8::from).collect();
            TensorData::new(DType::Bool, ty.shape, bytes)
        }
        _ => TensorData::new(ty.dtype, ty.shape, Owner(data)),
    };
    shared.map_err(CaptureError::Device)
}

/// Returns a constant operation for this value, if its elements are all equal or few.
pub(crate) fn as_operation(data: &BurnData, ty: &TensorType) -> Option<Op> {
    let size = data.as_bytes().len() / ty.numel().max(1);
    let mut elements = data.as_bytes().chunks_exact(size.max(1));
    let first = elements.next()?;
    if elements.all(|e| e == first) {
        let value = scalars(data, ty.dtype, 1)?.pop()?;
        return Some(
            Full {
                ty: ty.clone(),
                value,
            }
            .into(),
        );
    }
    if ty.numel() > Constant::MAX_ELEMENTS {
        return None;
    }
    let values = scalars(data, ty.dtype, ty.numel())?;
    Some(
        Constant {
            ty: ty.clone(),
            values,
        }
        .into(),
    )
}

/// Returns the first elements, if a graph's scalars can represent them.
fn scalars(data: &BurnData, dtype: DType, count: usize) -> Option<Vec<Scalar>> {
    if dtype.is_float() {
        return Some(data.iter::<f64>().take(count).map(Scalar::Float).collect());
    }
    match dtype {
        DType::Bool => Some(data.iter::<bool>().take(count).map(Scalar::Bool).collect()),
        DType::U64 => data
            .iter::<u64>()
            .take(count)
            .map(|v| i64::try_from(v).ok().map(Scalar::Int))
            .collect(),
        _ => Some(data.iter::<i64>().take(count).map(Scalar::Int).collect()),
    }
}

//! Tensors of a burn backend with any kind of elements.

use burn_backend::{
    Backend, Shape, Slice, TensorMetadata, read_sync,
    tensor::{BoolTensor, Device, FloatTensor, IntTensor},
};
use mirage_ir::{DType, Scalar, TensorData};

use super::Storage;

/// A tensor of backend `B`. Its shape is the physical one: dimensions in the sequence of memory.
#[derive(Clone, Debug)]
pub enum Tensor<B: Backend> {
    /// Of a floating-point dtype.
    Float(FloatTensor<B>),
    /// Of an integer dtype.
    Int(IntTensor<B>),
    /// Of bool.
    Bool(BoolTensor<B>),
}

/// Calls the backend's function for the kind of tensor; the result has the same kind.
macro_rules! same_kind {
    ($tensor:expr, $float:ident, $int:ident, $bool:ident ($($arg:expr),*)) => {
        match $tensor {
            Tensor::Float(t) => Tensor::Float(B::$float(t $(, $arg)*)),
            Tensor::Int(t) => Tensor::Int(B::$int(t $(, $arg)*)),
            Tensor::Bool(t) => Tensor::Bool(B::$bool(t $(, $arg)*)),
        }
    };
}

impl<B: Backend> Tensor<B> {
    /// The shape.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Tensor::Float(t) => t.shape().to_vec(),
            Tensor::Int(t) => t.shape().to_vec(),
            Tensor::Bool(t) => t.shape().to_vec(),
        }
    }

    /// The bytes of its elements.
    pub fn bytes(&self) -> u64 {
        let element = match self {
            Tensor::Float(t) => t.dtype().size(),
            Tensor::Int(t) => t.dtype().size(),
            Tensor::Bool(t) => t.dtype().size(),
        };
        (self.shape().iter().product::<usize>() * element) as u64
    }

    /// The device that holds it.
    pub fn device(&self) -> Device<B> {
        match self {
            Tensor::Float(t) => t.device(),
            Tensor::Int(t) => t.device(),
            Tensor::Bool(t) => t.device(),
        }
    }

    /// Returns the elements in the same sequence in another shape; a view if possible.
    pub fn reshape(self, shape: &[usize]) -> Self {
        same_kind!(
            self,
            float_reshape,
            int_reshape,
            bool_reshape(Shape::from(shape))
        )
    }

    /// Permutes dimensions: dimension i of the result is `axes[i]` of this one. A view.
    pub fn permute(self, axes: &[usize]) -> Self {
        same_kind!(self, float_permute, int_permute, bool_permute(axes))
    }

    /// Repeats dimensions of length 1. A view.
    pub fn expand(self, shape: &[usize]) -> Self {
        same_kind!(
            self,
            float_expand,
            int_expand,
            bool_expand(Shape::from(shape))
        )
    }

    /// Slices each dimension.
    pub fn slice(self, slices: &[Slice]) -> Self {
        same_kind!(self, float_slice, int_slice, bool_slice(slices))
    }

    /// Reverses elements along the given dimensions.
    pub fn flip(self, axes: &[usize]) -> Self {
        same_kind!(self, float_flip, int_flip, bool_flip(axes))
    }

    /// Selects slices along `dim` by index.
    pub fn select(self, dim: usize, indices: IntTensor<B>, storage: &Storage) -> Self {
        match self {
            Tensor::Float(t) => Tensor::Float(B::float_select(t, dim, indices)),
            Tensor::Int(t) => Tensor::Int(B::int_select(t, dim, indices)),
            Tensor::Bool(t) => Self::by_number(t, storage, |t| B::int_select(t, dim, indices)),
        }
    }

    /// Gathers elements along `dim`, by an index for each element of the result.
    pub fn gather(self, dim: usize, indices: IntTensor<B>, storage: &Storage) -> Self {
        match self {
            Tensor::Float(t) => Tensor::Float(B::float_gather(dim, t, indices)),
            Tensor::Int(t) => Tensor::Int(B::int_gather(dim, t, indices)),
            Tensor::Bool(t) => Self::by_number(t, storage, |t| B::int_gather(dim, t, indices)),
        }
    }

    /// Looks bools up as numbers: burn-flex's own look-ups give tensors that claim to be u8, which
    /// its other operations on bools then refuse.
    fn by_number(
        bools: BoolTensor<B>,
        storage: &Storage,
        look_up: impl FnOnce(IntTensor<B>) -> IntTensor<B>,
    ) -> Self {
        let found = look_up(B::bool_into_int(bools, storage.int(DType::U8)));
        let zero = burn_backend::Scalar::Int(0);
        Tensor::Bool(B::int_not_equal_elem(found, zero, storage.bool()))
    }

    /// Replaces the part in `slices` by `value`, which is of the same kind.
    pub fn slice_assign(self, slices: &[Slice], value: Self) -> Self {
        match (self, value) {
            (Tensor::Float(t), Tensor::Float(v)) => {
                Tensor::Float(B::float_slice_assign(t, slices, v))
            }
            (Tensor::Int(t), Tensor::Int(v)) => Tensor::Int(B::int_slice_assign(t, slices, v)),
            (Tensor::Bool(t), Tensor::Bool(v)) => Tensor::Bool(B::bool_slice_assign(t, slices, v)),
            _ => mixed_kinds(),
        }
    }

    /// Returns `value` where the mask is true, else this tensor; all have the same shape.
    pub fn mask_where(self, mask: BoolTensor<B>, value: Self) -> Self {
        match (self, value) {
            (Tensor::Float(t), Tensor::Float(v)) => Tensor::Float(B::float_mask_where(t, mask, v)),
            (Tensor::Int(t), Tensor::Int(v)) => Tensor::Int(B::int_mask_where(t, mask, v)),
            (Tensor::Bool(t), Tensor::Bool(v)) => Tensor::Bool(B::bool_mask_where(t, mask, v)),
            _ => mixed_kinds(),
        }
    }

    /// Concatenates tensors of one kind along `dim`.
    pub fn cat(tensors: Vec<Self>, dim: usize) -> Self {
        match tensors.first() {
            Some(Tensor::Int(_)) => Tensor::Int(B::int_cat(
                tensors.into_iter().map(Tensor::into_int).collect(),
                dim,
            )),
            Some(Tensor::Bool(_)) => Tensor::Bool(B::bool_cat(
                tensors.into_iter().map(Tensor::into_bool).collect(),
                dim,
            )),
            _ => {
                let tensors = tensors.into_iter().map(Tensor::into_float).collect();
                Tensor::Float(B::float_cat(tensors, dim))
            }
        }
    }

    /// Returns a contiguous tensor; the tensor itself if it is contiguous.
    pub fn contiguous(self) -> Self {
        let shape = self.shape();
        if shape.len() < 2 {
            return self;
        }
        // Burn has no function for this, but engines make a flattened tensor contiguous.
        self.reshape(&[shape.iter().product()]).reshape(&shape)
    }

    /// Returns a tensor whose elements are all `value`.
    pub fn full(
        shape: &[usize],
        value: Scalar,
        dtype: DType,
        storage: &Storage,
        device: &Device<B>,
    ) -> Self {
        let shape = Shape::from(shape);
        if dtype.is_float() {
            let value = burn_backend::Scalar::Float(value.as_f64());
            Tensor::Float(B::float_full(shape, value, device, storage.float(dtype)))
        } else if dtype.is_int() {
            let value = burn_backend::Scalar::Int(value.as_i64());
            Tensor::Int(B::int_full(shape, value, device, storage.int(dtype)))
        } else if value.as_f64() != 0.0 {
            Tensor::Bool(B::bool_ones(shape, device, storage.bool()))
        } else {
            Tensor::Bool(B::bool_zeros(shape, device, storage.bool()))
        }
    }

    /// The float tensor. Panics if it is of another kind, which the types of a verified graph rule
    /// out.
    pub fn into_float(self) -> FloatTensor<B> {
        match self {
            Tensor::Float(t) => t,
            _ => mixed_kinds(),
        }
    }

    /// Like [`Self::into_float`], for integers.
    pub fn into_int(self) -> IntTensor<B> {
        match self {
            Tensor::Int(t) => t,
            _ => mixed_kinds(),
        }
    }

    /// Like [`Self::into_float`], for bool.
    pub fn into_bool(self) -> BoolTensor<B> {
        match self {
            Tensor::Bool(t) => t,
            _ => mixed_kinds(),
        }
    }

    /// Uploads elements of the logical shape.
    pub fn from_data(data: &TensorData, storage: &Storage, device: &Device<B>) -> Self {
        let from =
            burn_backend::TensorData::from_bytes_vec(data.bytes().to_vec(), &data.shape[..], {
                if data.dtype == DType::Bool {
                    Storage::HOST_BOOL
                } else {
                    dtype_of(data.dtype)
                }
            });
        if data.dtype.is_float() {
            Tensor::Float(B::float_from_data(from, device))
        } else if data.dtype.is_int() {
            let t = B::int_from_data(from, device);
            let stored = storage.int(data.dtype);
            Tensor::Int(if t.dtype() == stored.into() {
                t
            } else {
                B::int_cast(t, stored)
            })
        } else {
            // Graphics cards refuse the host's form.
            let stored = storage.bool().into();
            let from = if from.dtype() == stored {
                from
            } else {
                from.convert_dtype(stored)
            };
            Tensor::Bool(B::bool_from_data(from, device))
        }
    }

    /// Downloads elements as `dtype`; waits for the device.
    pub fn to_data(self, dtype: DType) -> Result<TensorData, String> {
        let data = match self {
            Tensor::Float(t) => read_sync(B::float_into_data(t)),
            // Dtypes that the device does not support are converted here.
            Tensor::Int(t) => {
                read_sync(B::int_into_data(t)).map(|data| data.convert_dtype(dtype_of(dtype)))
            }
            Tensor::Bool(t) => read_sync(B::bool_into_data(t)),
        };
        let data = data.map_err(|e| format!("cannot read a tensor back: {e:?}"))?;
        let shape = data.shape().to_vec();
        let bytes = match data.dtype() {
            // A bool is one byte here, whatever the engine's store.
            burn_backend::DType::Bool(burn_backend::BoolStore::U32) => data
                .as_bytes()
                .chunks_exact(4)
                .map(|b| u8::from(b != [0; 4]))
                .collect(),
            _ => data.as_bytes().to_vec(),
        };
        TensorData::new(dtype, shape, bytes)
    }
}

use super::dtype::dtype_of;

fn mixed_kinds() -> ! {
    unreachable!("a verified graph does not mix floats, integers and bools")
}

//! Named tensors whose kind and rank are known only at run time, for inputs, outputs and states.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::{ModelError, config::Size};

/// Name, shape and element type of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its element type.
    pub dtype: DType,
}

impl TensorSpec {
    /// Returns a spec of these parts.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, dtype: DType) -> Self {
        Self {
            name: name.into(),
            shape: shape.into(),
            dtype,
        }
    }

    /// Returns the spec of a batch of RGB images: f32 `[batch, 3, height, width]`.
    pub(crate) fn picture(name: &str, batch: usize, size: Size) -> Self {
        Self::new(name, [batch, 3, size.height, size.width], DType::F32)
    }

    /// Returns zeros of this shape and type on `device`. They are uploaded from the host, so on a capture device they are an
    /// input and not an operation.
    ///
    /// # Errors
    /// If [`AnyTensor`] does not support the rank or type.
    pub fn zeros(&self, device: &Device) -> Result<AnyTensor, ModelError> {
        AnyTensor::from_data(
            &self.name,
            TensorData::full_dtype(self.shape.clone(), 0, self.dtype),
            device,
        )
    }
}

/// A tensor of any kind and rank that the networks use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AnyTensor {
    /// Float, rank 1.
    Float1(Tensor<1>),
    /// Float, rank 2.
    Float2(Tensor<2>),
    /// Float, rank 3.
    Float3(Tensor<3>),
    /// Float, rank 4.
    Float4(Tensor<4>),
    /// Integer, rank 1.
    Int1(Tensor<1, Int>),
    /// Integer, rank 2.
    Int2(Tensor<2, Int>),
}

/// Runs the same expression on the tensor in any variant.
macro_rules! each {
    ($any:expr, $tensor:ident => $body:expr) => {
        match $any {
            AnyTensor::Float1($tensor) => $body,
            AnyTensor::Float2($tensor) => $body,
            AnyTensor::Float3($tensor) => $body,
            AnyTensor::Float4($tensor) => $body,
            AnyTensor::Int1($tensor) => $body,
            AnyTensor::Int2($tensor) => $body,
        }
    };
}

macro_rules! conversions {
    ($($variant:ident: $tensor:ty),*) => {$(
        impl From<$tensor> for AnyTensor {
            fn from(tensor: $tensor) -> Self {
                Self::$variant(tensor)
            }
        }

        impl TryFrom<AnyTensor> for $tensor {
            /// The tensor, which has another kind or rank.
            type Error = AnyTensor;

            fn try_from(tensor: AnyTensor) -> Result<Self, AnyTensor> {
                match tensor {
                    AnyTensor::$variant(tensor) => Ok(tensor),
                    other => Err(other),
                }
            }
        }
    )*};
}

conversions!(
    Float1: Tensor<1>,
    Float2: Tensor<2>,
    Float3: Tensor<3>,
    Float4: Tensor<4>,
    Int1: Tensor<1, Int>,
    Int2: Tensor<2, Int>
);

impl AnyTensor {
    /// Uploads contents to `device` in the element type of `data`; `name` names the tensor in the error.
    ///
    /// # Errors
    /// If the rank or the element type is not supported.
    pub fn from_data(name: &str, data: TensorData, device: &Device) -> Result<Self, ModelError> {
        let dtype = data.dtype();
        let rank = data.shape().len();
        let options = (device, dtype);
        match (rank, dtype.is_float(), dtype.is_int()) {
            (1, true, _) => Ok(Self::Float1(Tensor::from_data(data, options))),
            (2, true, _) => Ok(Self::Float2(Tensor::from_data(data, options))),
            (3, true, _) => Ok(Self::Float3(Tensor::from_data(data, options))),
            (4, true, _) => Ok(Self::Float4(Tensor::from_data(data, options))),
            (1, _, true) => Ok(Self::Int1(Tensor::from_data(data, options))),
            (2, _, true) => Ok(Self::Int2(Tensor::from_data(data, options))),
            _ => Err(ModelError::Input {
                name: name.to_owned(),
                reason: format!(
                    "rank {rank} of {dtype:?} is not supported: floats have rank 1 to 4, integers 1 or 2"
                ),
            }),
        }
    }

    /// Downloads the contents.
    #[must_use]
    pub fn into_data(self) -> TensorData {
        each!(self, tensor => tensor.into_data())
    }

    /// Returns the shape.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        each!(self, tensor => tensor.dims().to_vec())
    }

    /// Returns the element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        each!(self, tensor => tensor.dtype())
    }

    /// Moves the tensor to another device.
    #[must_use]
    pub fn to_device(self, device: &Device) -> Self {
        each!(self, tensor => tensor.to_device(device).into())
    }
}

/// Tensors by name: a stream's declared state, in the order of
/// [`StreamModel::state_specs`](crate::StreamModel::state_specs), or its conditioning inputs, in that of
/// [`StreamModel::condition_specs`](crate::StreamModel::condition_specs).
#[derive(Debug, Clone, Default)]
pub struct NamedTensors(Vec<(String, AnyTensor)>);

impl NamedTensors {
    /// Returns tensors by name.
    #[must_use]
    pub fn new(tensors: Vec<(String, AnyTensor)>) -> Self {
        Self(tensors)
    }

    /// Returns the state before the first frame: zeros, uploaded from the host, so that they are inputs on a capture device.
    ///
    /// # Errors
    /// If [`AnyTensor`] does not support the rank or type.
    pub fn initial(specs: &[TensorSpec], device: &Device) -> Result<Self, ModelError> {
        specs
            .iter()
            .map(|spec| Ok((spec.name.clone(), spec.zeros(device)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns the tensor of this name as kind and rank `T`.
    ///
    /// # Panics
    /// If the model's `state_specs` or `condition_specs` do not declare it with this kind and rank. During capture, the panic
    /// becomes the capture's error.
    #[must_use]
    pub fn expect<T: TryFrom<AnyTensor>>(&self, name: &str) -> T {
        self.get(name)
            .cloned()
            .and_then(|tensor| T::try_from(tensor).ok())
            .unwrap_or_else(|| {
                panic!(
                    "the model reads `{name}`, which its `state_specs` or `condition_specs` do not declare with this kind and rank"
                )
            })
    }

    /// Returns the tensor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AnyTensor> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, tensor)| tensor)
    }

    /// Iterates over names and tensors in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AnyTensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Iterates over names and tensors in order, by value.
    #[must_use]
    pub fn into_inner(self) -> Vec<(String, AnyTensor)> {
        self.0
    }
}

//! The engine's tensor.

use std::sync::Arc;

use mirage_ir::{DType, TensorData, interp::Tensor};

/// Elements in host memory: f32 as floats, so that kernels can read weights without a copy, and other dtypes
/// as bytes.
#[derive(Clone)]
pub(crate) enum Array {
    Floats(Arc<[f32]>, Vec<usize>),
    Bytes(Arc<TensorData>),
}

impl Array {
    /// Converts elements to `dtype`.
    pub(crate) fn of(tensor: &Tensor, dtype: DType) -> Result<Self, String> {
        let data = tensor.to_data(dtype).map_err(|e| e.to_string())?;
        if dtype != DType::F32 {
            return Ok(Array::Bytes(Arc::new(data)));
        }
        let floats = data.bytes().as_chunks().0.iter();
        let floats = floats.map(|&bytes| f32::from_le_bytes(bytes)).collect();
        Ok(Array::Floats(floats, data.shape))
    }

    /// Converts the elements for the operations' definitions.
    pub(crate) fn tensor(&self) -> Result<Tensor, String> {
        let tensor = match self {
            Array::Floats(x, shape) => {
                let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                Tensor::float(shape.clone(), wide)
            }
            Array::Bytes(data) => Tensor::from_data(data),
        };
        tensor.map_err(|e| e.to_string())
    }

    fn dtype(&self) -> DType {
        match self {
            Array::Floats(..) => DType::F32,
            Array::Bytes(data) => data.dtype,
        }
    }

    /// The runtime only requests shapes of the same size and permutations of dimensions.
    fn changed<E: ToString>(&self, change: impl FnOnce(&Tensor) -> Result<Tensor, E>) -> Self {
        let changed = self
            .tensor()
            .and_then(|t| change(&t).map_err(|e| e.to_string()));
        let changed = changed.and_then(|t| Array::of(&t, self.dtype()));
        changed.unwrap_or_else(|e| unreachable!("{e}"))
    }
}

impl mirage_runtime::Tensor for Array {
    fn shape(&self) -> Vec<usize> {
        match self {
            Array::Floats(_, shape) => shape.clone(),
            Array::Bytes(data) => data.shape.clone(),
        }
    }

    fn bytes(&self) -> u64 {
        (self.shape().iter().product::<usize>() * self.dtype().size()) as u64
    }

    fn reshape(self, shape: &[usize]) -> Self {
        match self {
            Array::Floats(x, _) => Array::Floats(x, shape.to_vec()),
            Array::Bytes(_) => self.changed(|t| t.reshaped(shape)),
        }
    }

    fn permute(self, axes: &[usize]) -> Self {
        let from = self.shape();
        let to: Vec<usize> = axes.iter().map(|&a| from[a]).collect();
        let stride = |axis: usize| from[axis + 1..].iter().product::<usize>();
        let strides: Vec<usize> = axes.iter().map(|&a| stride(a)).collect();
        self.changed(|t| {
            t.take(&to, |index| {
                Ok(index.iter().zip(&strides).map(|(i, s)| i * s).sum())
            })
        })
    }

    fn contiguous(self) -> Self {
        self
    }
}

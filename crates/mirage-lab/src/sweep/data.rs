//! Random tensors for measurements.

use mirage_ir::{DType, OpError, TensorData, TensorType, interp::Tensor};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// The distribution of elements. Times do not depend on it, except for overflow and denormals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Uniform with mean 0 and variance 1: activations.
    Centred,
    /// Uniform from 0.5 to 1.5: parameters, among which are variances and scales.
    Positive,
}

/// The number of random elements; larger tensors repeat them. A prime, so that rows of a usual width differ.
const PERIOD: usize = 65_537;

impl Values {
    /// Returns elements for a tensor of this type. Integers are 0, a valid index everywhere; bools are false,
    /// so that masks exclude nothing.
    ///
    /// # Errors
    /// Never for the known dtypes.
    pub fn data(self, ty: &TensorType, seed: u64) -> Result<TensorData, OpError> {
        let size = ty.dtype.size();
        let mut bytes = vec![0; ty.bytes()];
        if ty.dtype.is_float() {
            let pattern = self.pattern(ty.dtype, ty.numel().min(PERIOD), seed)?;
            let period = pattern.bytes();
            for part in bytes.chunks_mut((PERIOD * size).max(1)) {
                part.copy_from_slice(&period[..part.len()]);
            }
        }
        TensorData::new(ty.dtype, ty.shape.clone(), bytes).map_err(OpError::new)
    }

    fn pattern(self, dtype: DType, count: usize, seed: u64) -> Result<TensorData, OpError> {
        let (low, high) = match self {
            Values::Centred => (-f64::sqrt(3.0), f64::sqrt(3.0)),
            Values::Positive => (0.5, 1.5),
        };
        let mut rng = StdRng::seed_from_u64(seed);
        let values: Vec<f64> = (0..count).map(|_| rng.random_range(low..high)).collect();
        Tensor::float([count], values)?.to_data(dtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_their_kind_and_long_tensors_repeat() {
        let ty = TensorType::new(DType::F16, [2, PERIOD]);
        let data = Values::Centred.data(&ty, 1).unwrap();
        let half = data.bytes().len() / 2;
        assert_eq!(data.bytes()[..half], data.bytes()[half..]);
        let values = Tensor::from_data(&data).unwrap();
        let values = values.floats().unwrap();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02);

        let ty = TensorType::new(DType::F32, [100]);
        let positive = Tensor::from_data(&Values::Positive.data(&ty, 1).unwrap()).unwrap();
        assert!(
            positive
                .floats()
                .unwrap()
                .iter()
                .all(|v| (0.5..1.5).contains(v))
        );
        let other = Values::Positive.data(&ty, 2).unwrap();
        assert_ne!(positive, Tensor::from_data(&other).unwrap());
        for dtype in [DType::I64, DType::Bool] {
            let data = Values::Centred
                .data(&TensorType::new(dtype, [3]), 0)
                .unwrap();
            assert!(data.bytes().iter().all(|&b| b == 0));
        }
        let empty = TensorType::new(DType::F32, [0, 4]);
        assert_eq!(Values::Centred.data(&empty, 0).unwrap().numel(), 0);
    }
}

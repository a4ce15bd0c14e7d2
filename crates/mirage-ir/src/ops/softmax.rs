//! Softmax.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{
        Tensor,
        index::{Lane, lanes},
    },
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Softmax>()];

/// `softmax(x)` along one dimension. The output keeps the order of x.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softmax {
    /// The dimension that sums to 1.
    pub dim: usize,
}

impl Operation for Softmax {
    const NAMES: &'static [&'static str] = &["softmax"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        rules::same_float(inputs)?;
        rules::dim(inputs[0], self.dim)?;
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let mut values = inputs[0].floats()?.to_vec();
        for lane in lanes(inputs[0].shape(), self.dim) {
            softmax(&mut values, lane);
        }
        Ok(vec![Tensor::float(inputs[0].shape(), values)?])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        // Maximum, difference, exponential, sum, quotient.
        5 * outputs[0].numel() as u64
    }
}

/// Softmax of one lane, in place. NaN if all its elements are −∞.
pub(super) fn softmax(values: &mut [f64], lane: Lane) {
    let largest = lane
        .offsets()
        .map(|i| values[i])
        .fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for i in lane.offsets() {
        values[i] = (values[i] - largest).exp();
        sum += values[i];
    }
    lane.offsets().for_each(|i| values[i] /= sum);
}

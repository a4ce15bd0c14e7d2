//! Softmax.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, TensorType};

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

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        // Maximum, difference, exponential, sum, quotient.
        5 * outputs[0].numel() as u64
    }
}

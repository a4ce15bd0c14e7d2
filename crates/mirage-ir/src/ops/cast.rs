//! Changes of dtype and of memory order; the values stay the same.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{DType, OpError, Operation, Order, TensorType, op_ensure};

/// To another dtype. To a float type: rounded to nearest even; float to integer: truncated and
/// saturated; to bool: whether it is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cast {
    /// The new dtype.
    pub dtype: DType,
}

impl Operation for Cast {
    const NAMES: &'static [&'static str] = &["cast"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        Ok(vec![inputs[0].clone().with_dtype(self.dtype)])
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        inputs[0].dtype == outputs[0].dtype
    }
}

/// To another memory order. The only operation that changes the order of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reorder {
    /// The new order.
    pub order: Order,
}

impl Operation for Reorder {
    const NAMES: &'static [&'static str] = &["reorder"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        op_ensure!(
            self.order.rank() == inputs[0].rank(),
            "order {} has {} dimensions, the input is {}",
            self.order,
            self.order.rank(),
            inputs[0]
        );
        Ok(vec![inputs[0].clone().with_order(self.order.clone())])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        inputs[0].same_memory(&outputs[0])
    }
}

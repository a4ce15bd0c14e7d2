//! Conversion of dtypes and memory orders.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    DType, OpError, Operation, Order, TensorType,
    interp::{
        Elements, Tensor,
        number::{round_to, saturate, wrap},
    },
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Cast>(), kind::<Reorder>()];

/// Converts to another dtype. To a float: rounds to nearest, ties to even. Float to integer: truncates and
/// saturates, NaN becomes 0. Integer to integer: wraps. To bool: whether it is not 0. From bool: 0 or 1.
///
/// An engine may store integers in fewer bits than the graph states: burn-flex computes burn's default
/// integers in 32 bits, while the graph has the 64 bits that burn records. Values beyond ±2³¹ then wrap or
/// saturate differently.
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

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let to = outputs[0].dtype;
        let elements = match inputs[0].elements() {
            Elements::Float(v) if to.is_float() => {
                Elements::Float(v.iter().map(|&x| round_to(x, to)).collect())
            }
            Elements::Float(v) if to.is_int() => Elements::Int(
                v.iter()
                    .map(|&x| saturate(x, to))
                    .collect::<Result<_, _>>()?,
            ),
            Elements::Float(v) => Elements::Bool(v.iter().map(|&x| x != 0.0).collect()),
            Elements::Int(v) if to == DType::F32 => {
                Elements::Float(v.iter().map(|&x| f64::from(x as f32)).collect())
            }
            Elements::Int(v) if to.is_float() => {
                Elements::Float(v.iter().map(|&x| round_to(x as f64, to)).collect())
            }
            Elements::Int(v) if to.is_int() => Elements::Int(
                v.iter()
                    .map(|&x| wrap(i128::from(x), to))
                    .collect::<Result<_, _>>()?,
            ),
            Elements::Int(v) => Elements::Bool(v.iter().map(|&x| x != 0).collect()),
            Elements::Bool(v) if to.is_float() => {
                Elements::Float(v.iter().map(|&x| f64::from(u8::from(x))).collect())
            }
            Elements::Bool(v) if to.is_int() => {
                Elements::Int(v.iter().map(|&x| i64::from(x)).collect())
            }
            Elements::Bool(v) => Elements::Bool(v.clone()),
        };
        Ok(vec![Tensor::new(inputs[0].shape(), elements)?])
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        inputs[0].dtype == outputs[0].dtype
    }
}

/// Converts to another memory order. The only operation that copies a value to another order.
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

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![inputs[0].clone()])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        inputs[0].same_memory(&outputs[0])
    }
}

//! Normalizations. Statistics are biased (divided by the number of elements).

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, TensorType, op_ensure};

/// `batch_norm(x [N,C,…], gamma [C], beta [C], mean [C], variance [C])` with given statistics:
/// (x − mean)/√(variance + eps)·gamma + beta.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f64,
}

/// `group_norm(x [N,C,…], (gamma [C], beta [C])?)`: normalized over each group of channels and all
/// spatial dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    /// Groups of channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
}

/// `layer_norm(x […,D], gamma [D], beta [D]?)`: normalized over the last dimension. Row-major.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
}

/// Multiply-adds of statistics and of scaling, by element.
const FLOPS_PER_ELEMENT: u64 = 8;

fn per_channel(inputs: &[&TensorType]) -> Result<(), OpError> {
    rules::same_float(inputs)?;
    let x = inputs[0];
    op_ensure!(x.rank() >= 2, "x must have at least 2 dimensions, got {x}");
    inputs[1..].iter().try_for_each(|p| rules::shape("a parameter", p, &x.shape[1..2]))
}

impl Operation for BatchNorm {
    const NAMES: &'static [&'static str] = &["batch_norm"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 5..=5)?;
        per_channel(inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        2 * outputs[0].numel() as u64
    }
}

impl Operation for GroupNorm {
    const NAMES: &'static [&'static str] = &["group_norm"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        op_ensure!(matches!(inputs.len(), 1 | 3), "takes x, or x, gamma and beta; got {} inputs", inputs.len());
        per_channel(inputs)?;
        let channels = inputs[0].shape[1];
        op_ensure!(
            self.groups > 0 && channels % self.groups == 0,
            "{} groups do not divide {channels} channels",
            self.groups
        );
        Ok(vec![inputs[0].clone()])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        FLOPS_PER_ELEMENT * outputs[0].numel() as u64
    }
}

impl Operation for LayerNorm {
    const NAMES: &'static [&'static str] = &["layer_norm"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=3)?;
        rules::same_float(inputs)?;
        rules::all_row_major(inputs)?;
        let x = inputs[0];
        op_ensure!(x.rank() >= 1, "x must have at least one dimension");
        inputs[1..].iter().try_for_each(|p| rules::shape("a parameter", p, &x.shape[x.rank() - 1..]))?;
        Ok(vec![x.clone()])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        FLOPS_PER_ELEMENT * outputs[0].numel() as u64
    }
}

//! Normalizations. Statistics are biased (divided by the number of elements).

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{OpError, Operation, TensorType, interp::Tensor, op_ensure};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[
    kind::<BatchNorm>(),
    kind::<GroupNorm>(),
    kind::<LayerNorm>(),
];

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
    inputs[1..]
        .iter()
        .try_for_each(|p| rules::shape("a parameter", p, &x.shape[1..2]))
}

impl Operation for BatchNorm {
    const NAMES: &'static [&'static str] = &["batch_norm"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 5..=5)?;
        per_channel(inputs)?;
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (mean, variance) = (inputs[3].floats()?, inputs[4].floats()?);
        let mut values = inputs[0].floats()?.to_vec();
        each_channel(&mut values, inputs[0].shape(), |x, c| {
            *x = (*x - mean[c]) / (variance[c] + self.eps).sqrt();
        });
        scale_and_shift(&mut values, inputs[0].shape(), &inputs[1..3])?;
        Ok(vec![Tensor::float(inputs[0].shape(), values)?])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        2 * outputs[0].numel() as u64
    }
}

impl Operation for GroupNorm {
    const NAMES: &'static [&'static str] = &["group_norm"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        op_ensure!(
            matches!(inputs.len(), 1 | 3),
            "takes x, or x, gamma and beta; got {} inputs",
            inputs.len()
        );
        per_channel(inputs)?;
        let channels = inputs[0].shape[1];
        op_ensure!(
            self.groups > 0 && channels.is_multiple_of(self.groups),
            "{} groups do not divide {channels} channels",
            self.groups
        );
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let shape = inputs[0].shape();
        let group = shape[1] / self.groups * shape[2..].iter().product::<usize>();
        let mut values = inputs[0].floats()?.to_vec();
        // The channels of a group are contiguous.
        values
            .chunks_mut(group.max(1))
            .for_each(|group| normalize(group, self.eps));
        scale_and_shift(&mut values, shape, &inputs[1..])?;
        Ok(vec![Tensor::float(shape, values)?])
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
        inputs[1..]
            .iter()
            .try_for_each(|p| rules::shape("a parameter", p, &x.shape[x.rank() - 1..]))?;
        Ok(vec![x.clone()])
    }

    fn eval(&self, inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let shape = inputs[0].shape();
        let width = shape[shape.len() - 1];
        let mut values = inputs[0].floats()?.to_vec();
        values
            .chunks_mut(width.max(1))
            .for_each(|row| normalize(row, self.eps));
        // The last dimension as channels.
        scale_and_shift(
            &mut values,
            &[shape[..shape.len() - 1].iter().product(), width],
            &inputs[1..],
        )?;
        Ok(vec![Tensor::float(shape, values)?])
    }

    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        FLOPS_PER_ELEMENT * outputs[0].numel() as u64
    }
}

/// (x − mean)/√(variance + eps) in place.
fn normalize(values: &mut [f64], eps: f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    values
        .iter_mut()
        .for_each(|x| *x = (*x - mean) / (variance + eps).sqrt());
}

/// Calls `f` with every element of a tensor `[N,C,…]` and its channel.
fn each_channel(values: &mut [f64], shape: &[usize], f: impl Fn(&mut f64, usize)) {
    let size: usize = shape[2..].iter().product();
    values
        .iter_mut()
        .enumerate()
        .for_each(|(i, x)| f(x, i / size % shape[1]));
}

/// Multiplies each channel by the first of `parameters` and adds the second, if given.
fn scale_and_shift(
    values: &mut [f64],
    shape: &[usize],
    parameters: &[&Tensor],
) -> Result<(), OpError> {
    if let Some(gamma) = parameters.first() {
        let gamma = gamma.floats()?;
        each_channel(values, shape, |x, c| *x *= gamma[c]);
    }
    if let Some(beta) = parameters.get(1) {
        let beta = beta.floats()?;
        each_channel(values, shape, |x, c| *x += beta[c]);
    }
    Ok(())
}

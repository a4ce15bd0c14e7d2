//! Matrix products.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, TensorType, op_ensure};

/// `matmul(a [batch…,M,K], b [batch…,K,N])`; batch dimensions broadcast. Row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matmul {}

/// `linear(x […,in], weight [in,out], bias [out]?)`: x·weight + bias on the last dimension.
/// Row-major.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {}

impl Operation for Matmul {
    const NAMES: &'static [&'static str] = &["matmul"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=2)?;
        let dtype = rules::same_dtype(inputs)?;
        op_ensure!(dtype != crate::DType::Bool, "takes numbers, got bool");
        rules::all_row_major(inputs)?;
        let (a, b) = (inputs[0], inputs[1]);
        let rank = a.rank();
        op_ensure!(rank >= 2 && b.rank() == rank, "inputs must have one rank of at least 2, got {a} and {b}");
        let (m, k, n) = (a.shape[rank - 2], a.shape[rank - 1], b.shape[rank - 1]);
        op_ensure!(b.shape[rank - 2] == k, "inner dimensions differ: {a} and {b}");
        let batch = |t: &TensorType| TensorType::new(dtype, &t.shape[..rank - 2]);
        let (mut shape, _) = rules::broadcast(&[&batch(a), &batch(b)])?;
        shape.extend([m, n]);
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        let k = inputs[0].shape[inputs[0].rank() - 1];
        2 * (outputs[0].numel() * k) as u64
    }
}

impl Operation for Linear {
    const NAMES: &'static [&'static str] = &["linear"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=3)?;
        rules::same_float(inputs)?;
        rules::all_row_major(inputs)?;
        let (x, w) = (inputs[0], inputs[1]);
        rules::rank("weight", w, 2)?;
        op_ensure!(x.rank() >= 1, "x must have at least one dimension");
        let (k, out) = (w.shape[0], w.shape[1]);
        op_ensure!(x.shape[x.rank() - 1] == k, "x {x} does not fit the weight {w} [in,out]");
        if let Some(bias) = inputs.get(2) {
            rules::shape("bias", bias, &[out])?;
        }
        let mut shape = x.shape.clone();
        shape[x.rank() - 1] = out;
        Ok(vec![TensorType::new(x.dtype, shape)])
    }

    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        2 * (outputs[0].numel() * inputs[1].shape[0]) as u64
    }
}

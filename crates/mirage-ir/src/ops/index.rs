//! Look-ups by integer indices. Row-major. An index out of range is an error at execution.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{OpError, Operation, TensorType, op_ensure};

/// `embedding(table [V,D], indices [N,S])` → [N,S,D].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {}

/// `gather(x, indices)`: out[…,i,…] = x[…,indices[…,i,…],…] along `dim`; other dimensions equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gather {
    /// The dimension that the indices count along.
    pub dim: usize,
}

/// `index_select(x, indices [N])`: slices of x along `dim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexSelect {
    /// The dimension that the indices count along.
    pub dim: usize,
}

fn indexed(inputs: &[&TensorType]) -> Result<(), OpError> {
    rules::arity(inputs, 2..=2)?;
    rules::all_row_major(inputs)?;
    op_ensure!(inputs[1].dtype.is_int(), "indices must be integers, got {}", inputs[1]);
    Ok(())
}

impl Operation for Embedding {
    const NAMES: &'static [&'static str] = &["embedding"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        indexed(inputs)?;
        rules::rank("the table", inputs[0], 2)?;
        rules::rank("indices", inputs[1], 2)?;
        let mut shape = inputs[1].shape.clone();
        shape.push(inputs[0].shape[1]);
        Ok(vec![TensorType::new(inputs[0].dtype, shape)])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Gather {
    const NAMES: &'static [&'static str] = &["gather"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        indexed(inputs)?;
        let (x, i) = (inputs[0], inputs[1]);
        rules::dim(x, self.dim)?;
        op_ensure!(
            i.rank() == x.rank() && (0..x.rank()).all(|d| d == self.dim || i.shape[d] <= x.shape[d]),
            "indices {i} do not fit {x} along dimension {}",
            self.dim
        );
        Ok(vec![TensorType::new(x.dtype, i.shape.clone())])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for IndexSelect {
    const NAMES: &'static [&'static str] = &["index_select"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        indexed(inputs)?;
        let x = inputs[0];
        rules::dim(x, self.dim)?;
        rules::rank("indices", inputs[1], 1)?;
        let mut shape = x.shape.clone();
        shape[self.dim] = inputs[1].shape[0];
        Ok(vec![TensorType::new(x.dtype, shape)])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

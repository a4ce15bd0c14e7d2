//! Look-ups by integer indices. Row-major. An index out of range is an error at execution.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{
        Tensor,
        index::{offset, strides},
        number::checked_index,
    },
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Embedding>(), kind::<Gather>(), kind::<IndexSelect>()];

/// `embedding(table [V,D], indices [N,S])` → `[N,S,D]`.
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
    op_ensure!(
        inputs[1].dtype.is_int(),
        "indices must be integers, got {}",
        inputs[1]
    );
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

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (table, indices) = (inputs[0], inputs[1].ints()?);
        let [entries, width] = [table.shape()[0], table.shape()[1]];
        let columns = inputs[1].shape()[1];
        let rows = table.take(&outputs[0].shape, |i| {
            Ok(checked_index(indices[i[0] * columns + i[1]], entries)? * width + i[2])
        });
        Ok(vec![rows?])
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
            i.rank() == x.rank()
                && (0..x.rank()).all(|d| d == self.dim || i.shape[d] <= x.shape[d]),
            "indices {i} do not fit {x} along dimension {}",
            self.dim
        );
        Ok(vec![TensorType::new(x.dtype, i.shape.clone())])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, indices) = (inputs[0], inputs[1].ints()?);
        let (in_x, in_indices) = (strides(x.shape()), strides(inputs[1].shape()));
        let gathered = x.take(&outputs[0].shape, |i| {
            let mut at = i.to_vec();
            at[self.dim] = checked_index(indices[offset(i, &in_indices)], x.shape()[self.dim])?;
            Ok(offset(&at, &in_x))
        });
        Ok(vec![gathered?])
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

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, indices) = (inputs[0], inputs[1].ints()?);
        let in_x = strides(x.shape());
        let selected = x.take(&outputs[0].shape, |i| {
            let mut at = i.to_vec();
            at[self.dim] = checked_index(indices[i[self.dim]], x.shape()[self.dim])?;
            Ok(offset(&at, &in_x))
        });
        Ok(vec![selected?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

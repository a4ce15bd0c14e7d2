//! Operations without inputs: constants.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{OpError, Operation, Scalar, TensorType, interp::Tensor, op_ensure};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Constant>(), kind::<Full>()];

/// `full()`: a tensor whose elements all have one value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Full {
    /// The output's type.
    pub ty: TensorType,
    /// The value of every element.
    pub value: Scalar,
}

/// `constant()`: a small tensor whose elements are attributes. Larger tensors are parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The output's type, row-major.
    pub ty: TensorType,
    /// The elements in logical row-major sequence.
    pub values: Vec<Scalar>,
}

impl Constant {
    /// The maximum number of elements of a constant.
    pub const MAX_ELEMENTS: usize = 1024;
}

impl Operation for Full {
    const NAMES: &'static [&'static str] = &["full"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 0..=0)?;
        op_ensure!(
            self.value.fits(self.ty.dtype),
            "value {} is not a value of {}",
            self.value,
            self.ty.dtype
        );
        Ok(vec![self.ty.clone()])
    }

    fn eval(&self, _inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![Tensor::full(&self.ty, self.value)?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Constant {
    const NAMES: &'static [&'static str] = &["constant"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 0..=0)?;
        rules::row_major(&self.ty)?;
        op_ensure!(
            self.values.len() == self.ty.numel() && self.values.len() <= Self::MAX_ELEMENTS,
            "{} values given for {} (a constant has at most {})",
            self.values.len(),
            self.ty,
            Self::MAX_ELEMENTS
        );
        match self.values.iter().find(|v| !v.fits(self.ty.dtype)) {
            Some(v) => Err(OpError::new(format!(
                "value {v} is not a value of {}",
                self.ty.dtype
            ))),
            None => Ok(vec![self.ty.clone()]),
        }
    }

    fn eval(&self, _inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![Tensor::from_scalars(&self.ty, &self.values)?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

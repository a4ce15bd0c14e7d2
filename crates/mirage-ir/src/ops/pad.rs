//! Padding of tensors.

use serde::{Deserialize, Serialize};

use super::{Kind, Scalar, kind, rules};
use crate::{
    OpError, Operation, TensorType,
    interp::{
        Tensor,
        index::{offset, strides},
    },
    op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Pad>()];

/// Adds elements around a tensor. Keeps the memory order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// Elements added before, one number a dimension.
    pub before: Vec<usize>,
    /// Elements added after, one number a dimension.
    pub after: Vec<usize>,
    /// How the new elements are computed.
    pub mode: PadMode,
    /// The new elements with [`PadMode::Constant`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
}

/// How padding computes new elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// One value.
    Constant,
    /// The tensor mirrored at its border element, which is not repeated.
    Reflect,
    /// The nearest border element.
    Edge,
}

impl Operation for Pad {
    const NAMES: &'static [&'static str] = &["pad"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        let rank = x.rank();
        op_ensure!(
            self.before.len() == rank && self.after.len() == rank,
            "before and after must be {rank} numbers each"
        );
        match (self.mode, self.value) {
            (PadMode::Constant, Some(value)) => {
                op_ensure!(
                    value.fits(x.dtype),
                    "value {value} is not a value of {}",
                    x.dtype
                )
            }
            (PadMode::Constant, None) => op_ensure!(false, "constant padding needs a value"),
            (_, value) => op_ensure!(value.is_none(), "only constant padding takes a value"),
        }
        for d in 0..rank {
            let most = match self.mode {
                PadMode::Constant => usize::MAX,
                PadMode::Reflect => x.shape[d].saturating_sub(1),
                PadMode::Edge if x.shape[d] == 0 => 0,
                PadMode::Edge => usize::MAX,
            };
            op_ensure!(
                self.before[d].max(self.after[d]) <= most,
                "padding {}+{} is more than dimension {d} of {x} can mirror",
                self.before[d],
                self.after[d]
            );
        }
        let padded = |d: usize| {
            x.shape[d]
                .saturating_add(self.before[d])
                .saturating_add(self.after[d])
        };
        let shape = (0..rank).map(padded).collect();
        Ok(vec![TensorType { shape, ..x.clone() }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let x = inputs[0];
        let in_x = strides(x.shape());
        let value = Tensor::full(
            &TensorType::new(outputs[0].dtype, [1]),
            self.value.unwrap_or(Scalar::Int(0)),
        )?;
        let padded = Tensor::assemble(&[x, &value], &outputs[0].shape, |i| {
            let source = |d: usize| self.mode.source(i[d], self.before[d], x.shape()[d]);
            let at: Option<Vec<usize>> = (0..i.len()).map(source).collect();
            Ok(at.map_or((1, 0), |at| (0, offset(&at, &in_x))))
        });
        Ok(vec![padded?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl PadMode {
    /// Returns the index of the element at output index `i`, after `before` new ones; `None` for the
    /// constant.
    fn source(self, i: usize, before: usize, len: usize) -> Option<usize> {
        match self {
            PadMode::Constant => i.checked_sub(before).filter(|&i| i < len),
            PadMode::Edge => Some(i.saturating_sub(before).min(len - 1)),
            PadMode::Reflect => {
                let from_first = i.abs_diff(before);
                // Mirrors an index beyond the last element.
                Some(if from_first < len {
                    from_first
                } else {
                    2 * (len - 1) - from_first
                })
            }
        }
    }
}

//! Views and rearrangements of elements.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    OpError, Operation, Order, TensorType,
    interp::{
        Tensor,
        index::{broadcast_strides, offset, strides},
    },
    op_ensure,
    types::{is_permutation, same_layout},
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[
    kind::<Concat>(),
    kind::<Expand>(),
    kind::<Flip>(),
    kind::<Permute>(),
    kind::<Reshape>(),
    kind::<Slice>(),
];

/// Gives the elements, in logical row-major sequence, another shape. The output is row-major unless
/// `order` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The new shape.
    pub shape: Vec<usize>,
    /// The output's memory order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Permutes dimensions: output dimension i is input dimension `axes[i]`. The output is row-major unless
/// `order` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// For each output dimension, the input dimension.
    pub axes: Vec<usize>,
    /// The output's memory order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Repeats dimensions of length 1. Keeps the memory order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expand {
    /// The new shape.
    pub shape: Vec<usize>,
}

/// Takes every `step`-th element of `start..end` in each dimension. Keeps the memory order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// First index, one for each dimension.
    pub start: Vec<usize>,
    /// One past the last index, one for each dimension.
    pub end: Vec<usize>,
    /// Distance of the elements, one for each dimension, at least 1.
    pub step: Vec<usize>,
}

/// Concatenates inputs along a dimension. All have the same memory order, which the output keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    /// The dimension.
    pub dim: usize,
}

/// Reverses elements along the given dimensions. Keeps the memory order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// The dimensions.
    pub dims: Vec<usize>,
}

fn output(x: &TensorType, shape: Vec<usize>, order: Option<&Order>) -> Result<TensorType, OpError> {
    let ty = TensorType::new(x.dtype, shape);
    let Some(order) = order else { return Ok(ty) };
    op_ensure!(
        order.rank() == ty.rank(),
        "order {order} does not fit the output {ty}"
    );
    Ok(ty.with_order(order.clone()))
}

impl Reshape {
    /// Returns a reshape to a row-major shape.
    pub fn to(shape: impl Into<Vec<usize>>) -> Self {
        Reshape {
            shape: shape.into(),
            order: None,
        }
    }
}

impl Operation for Reshape {
    const NAMES: &'static [&'static str] = &["reshape"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        let ty = output(x, self.shape.clone(), self.order.as_ref())?;
        let numel = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        op_ensure!(
            numel == Some(x.numel()),
            "{x} has {} elements and cannot have the shape {:?}",
            x.numel(),
            self.shape
        );
        Ok(vec![ty])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![inputs[0].reshaped(outputs[0].shape.as_slice())?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        reshape_keeps_memory(inputs[0], &outputs[0])
    }
}

/// Whether a reshape from `a` to `b` is a view: both visit memory in the same sequence when read in
/// logical row-major sequence.
fn reshape_keeps_memory(a: &TensorType, b: &TensorType) -> bool {
    a.numel() == 0 || walk(a) == walk(b)
}

/// Returns the loops over memory of a read in logical row-major sequence as (count, stride), outermost
/// first, with contiguous loops merged. Equal for equal sequences.
fn walk(t: &TensorType) -> Vec<(usize, usize)> {
    let mut loops: Vec<(usize, usize)> = Vec::new();
    for (&count, stride) in t
        .shape
        .iter()
        .zip(t.strides())
        .filter(|&(&count, _)| count != 1)
    {
        match loops.last_mut() {
            Some(outer) if outer.1 == count * stride => *outer = (outer.0 * count, stride),
            _ => loops.push((count, stride)),
        }
    }
    loops
}

impl Permute {
    /// Returns a permute with a row-major output.
    pub fn of(axes: impl Into<Vec<usize>>) -> Self {
        Permute {
            axes: axes.into(),
            order: None,
        }
    }

    /// Returns the output order that makes this permute of a value in `order` a view.
    pub fn view_order(&self, order: &Order) -> Order {
        let mut place = vec![0; self.axes.len()];
        for (out, &axis) in self.axes.iter().enumerate() {
            place[axis] = out;
        }
        Order::new(order.dims().map(|d| place[d]))
            .unwrap_or_else(|_| Order::row_major(order.rank()))
    }
}

impl Operation for Permute {
    const NAMES: &'static [&'static str] = &["permute"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        op_ensure!(
            self.axes.len() == x.rank() && is_permutation(&self.axes),
            "axes {:?} are not a permutation of the dimensions of {x}",
            self.axes
        );
        let shape = self.axes.iter().map(|&a| x.shape[a]).collect();
        Ok(vec![output(x, shape, self.order.as_ref())?])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let in_x = strides(inputs[0].shape());
        let in_x: Vec<usize> = self.axes.iter().map(|&a| in_x[a]).collect();
        Ok(vec![
            inputs[0].take(&outputs[0].shape, |i| Ok(offset(i, &in_x)))?,
        ])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        let view = self.view_order(&inputs[0].order);
        same_layout(&outputs[0].shape, &view, &outputs[0].order)
    }
}

impl Operation for Expand {
    const NAMES: &'static [&'static str] = &["expand"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        op_ensure!(
            self.shape.len() == x.rank()
                && x.shape
                    .iter()
                    .zip(&self.shape)
                    .all(|(&a, &b)| a == b || a == 1),
            "{x} does not expand to {:?}",
            self.shape
        );
        Ok(vec![TensorType {
            shape: self.shape.clone(),
            ..x.clone()
        }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let in_x = broadcast_strides(inputs[0].shape(), &outputs[0].shape);
        Ok(vec![
            inputs[0].take(&outputs[0].shape, |i| Ok(offset(i, &in_x)))?,
        ])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Slice {
    const NAMES: &'static [&'static str] = &["slice"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        let rank = x.rank();
        op_ensure!(
            [&self.start, &self.end, &self.step]
                .iter()
                .all(|v| v.len() == rank),
            "start, end and step must be {rank} numbers each"
        );
        let mut shape = Vec::with_capacity(rank);
        for d in 0..rank {
            let (start, end, step) = (self.start[d], self.end[d], self.step[d]);
            op_ensure!(
                start <= end && end <= x.shape[d] && step > 0,
                "{start}..{end} by {step} is not inside dimension {d} of {x}"
            );
            shape.push((end - start).div_ceil(step));
        }
        Ok(vec![TensorType { shape, ..x.clone() }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let in_x = strides(inputs[0].shape());
        let first = offset(&self.start, &in_x);
        let steps: Vec<usize> = self
            .step
            .iter()
            .zip(&in_x)
            .map(|(step, s)| step * s)
            .collect();
        Ok(vec![inputs[0].take(&outputs[0].shape, |i| {
            Ok(first + offset(i, &steps))
        })?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Concat {
    const NAMES: &'static [&'static str] = &["concat"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=usize::MAX)?;
        let dtype = rules::same_dtype(inputs)?;
        let first = inputs[0];
        rules::dim(first, self.dim)?;
        let mut out = first.clone();
        for t in &inputs[1..] {
            let fits = t.rank() == first.rank()
                && (0..t.rank()).all(|d| d == self.dim || t.shape[d] == first.shape[d]);
            op_ensure!(
                fits,
                "{first} and {t} differ in more than dimension {}",
                self.dim
            );
            op_ensure!(
                t.order == first.order,
                "inputs have different memory orders: {first} and {t}"
            );
            out.shape[self.dim] += t.shape[self.dim];
        }
        Ok(vec![out.with_dtype(dtype)])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let in_parts: Vec<_> = inputs.iter().map(|t| strides(t.shape())).collect();
        let joined = Tensor::assemble(inputs, &outputs[0].shape, |i| {
            let (mut part, mut at) = (0, i.to_vec());
            while at[self.dim] >= inputs[part].shape()[self.dim] {
                at[self.dim] -= inputs[part].shape()[self.dim];
                part += 1;
            }
            Ok((part, offset(&at, &in_parts[part])))
        });
        Ok(vec![joined?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Flip {
    const NAMES: &'static [&'static str] = &["flip"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        self.dims
            .iter()
            .try_for_each(|&d| rules::dim(inputs[0], d))?;
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, shape) = (inputs[0], &outputs[0].shape);
        let in_x = strides(shape);
        let flipped = x.take(shape, |i| {
            let place = |d: usize| {
                if self.dims.contains(&d) {
                    shape[d] - 1 - i[d]
                } else {
                    i[d]
                }
            };
            Ok((0..i.len()).map(|d| place(d) * in_x[d]).sum())
        });
        Ok(vec![flipped?])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

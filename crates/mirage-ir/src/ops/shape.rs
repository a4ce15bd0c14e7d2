//! Views and rearrangements: the elements stay as they are, their places change.

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{
    OpError, Operation, Order, Scalar, TensorType, op_ensure,
    types::{is_permutation, same_layout},
};

/// The same elements in logical row-major sequence under another shape. The output is row-major
/// unless `order` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The new shape.
    pub shape: Vec<usize>,
    /// The output's memory order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Dimensions exchanged: output dimension i is input dimension `axes[i]`. The output is row-major
/// unless `order` says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// For each output dimension, the input dimension.
    pub axes: Vec<usize>,
    /// The output's memory order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// Dimensions of 1 repeated. Keeps the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expand {
    /// The new shape.
    pub shape: Vec<usize>,
}

/// Every `step`-th element of `start..end` in each dimension. Keeps the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// First index, one a dimension.
    pub start: Vec<usize>,
    /// One past the last index, one a dimension.
    pub end: Vec<usize>,
    /// Distance of the elements taken, one a dimension, at least 1.
    pub step: Vec<usize>,
}

/// Inputs one after the other along a dimension. All have one order, which the output keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    /// The dimension.
    pub dim: usize,
}

/// Elements added around. Keeps the order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// Elements added before, one number a dimension.
    pub before: Vec<usize>,
    /// Elements added after, one number a dimension.
    pub after: Vec<usize>,
    /// Where the new elements come from.
    pub mode: PadMode,
    /// The new elements with [`PadMode::Constant`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
}

/// Where padding takes its elements from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PadMode {
    /// One value.
    Constant,
    /// The elements inside, mirrored at the border element, which is not repeated.
    Reflect,
    /// The border element.
    Edge,
}

/// Elements in reverse along the given dimensions. Keeps the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// The dimensions.
    pub dims: Vec<usize>,
}

fn output(x: &TensorType, shape: Vec<usize>, order: Option<&Order>) -> Result<TensorType, OpError> {
    let ty = TensorType::new(x.dtype, shape);
    let Some(order) = order else { return Ok(ty) };
    op_ensure!(order.rank() == ty.rank(), "order {order} does not fit the output {ty}");
    Ok(ty.with_order(order.clone()))
}

impl Reshape {
    /// To a row-major shape.
    pub fn to(shape: impl Into<Vec<usize>>) -> Self {
        Reshape { shape: shape.into(), order: None }
    }
}

impl Operation for Reshape {
    const NAMES: &'static [&'static str] = &["reshape"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        let ty = output(x, self.shape.clone(), self.order.as_ref())?;
        op_ensure!(ty.numel() == x.numel(), "{x} has {} elements, {:?} has {}", x.numel(), self.shape, ty.numel());
        Ok(vec![ty])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }

    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        reshape_keeps_memory(inputs[0], &outputs[0])
    }
}

/// Whether the elements of `a`, taken in logical sequence as `b`, lie in memory as `b` says: both
/// shapes are cut into their common factors, and every factor must have the same stride in both.
fn reshape_keeps_memory(a: &TensorType, b: &TensorType) -> bool {
    if a.is_row_major() && b.is_row_major() {
        return true;
    }
    let (mut i, mut j) = (a.rank(), b.rank());
    let (sa, sb) = (a.strides(), b.strides());
    // What is left of the current dimension on each side, and the stride of its next factor.
    let (mut left, mut right) = ((1, 0), (1, 0));
    loop {
        while left.0 == 1 && i > 0 {
            i -= 1;
            left = (a.shape[i], sa[i]);
        }
        while right.0 == 1 && j > 0 {
            j -= 1;
            right = (b.shape[j], sb[j]);
        }
        if left.0 == 1 && right.0 == 1 {
            return true;
        }
        let factor = left.0.min(right.0);
        if factor <= 1 || left.0 % factor != 0 || right.0 % factor != 0 || left.1 != right.1 {
            return false;
        }
        left = (left.0 / factor, left.1 * factor);
        right = (right.0 / factor, right.1 * factor);
    }
}

impl Permute {
    /// With a row-major output.
    pub fn of(axes: impl Into<Vec<usize>>) -> Self {
        Permute { axes: axes.into(), order: None }
    }

    /// The output order with which this permutation of a value in `order` moves nothing.
    pub fn view_order(&self, order: &Order) -> Order {
        let mut place = vec![0; self.axes.len()];
        for (out, &axis) in self.axes.iter().enumerate() {
            place[axis] = out;
        }
        Order::new(order.dims().map(|d| place[d])).unwrap_or_else(|_| Order::row_major(order.rank()))
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
            self.shape.len() == x.rank() && x.shape.iter().zip(&self.shape).all(|(&a, &b)| a == b || a == 1),
            "{x} does not expand to {:?}",
            self.shape
        );
        Ok(vec![TensorType { shape: self.shape.clone(), ..x.clone() }])
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
            [&self.start, &self.end, &self.step].iter().all(|v| v.len() == rank),
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
            op_ensure!(fits, "{first} and {t} differ in more than dimension {}", self.dim);
            op_ensure!(t.order == first.order, "inputs have different memory orders: {first} and {t}");
            out.shape[self.dim] += t.shape[self.dim];
        }
        Ok(vec![out.with_dtype(dtype)])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
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
                op_ensure!(value.fits(x.dtype), "value {value} is not a value of {}", x.dtype)
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
        let shape = (0..rank).map(|d| self.before[d] + x.shape[d] + self.after[d]).collect();
        Ok(vec![TensorType { shape, ..x.clone() }])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

impl Operation for Flip {
    const NAMES: &'static [&'static str] = &["flip"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        self.dims.iter().try_for_each(|&d| rules::dim(inputs[0], d))?;
        Ok(vec![inputs[0].clone()])
    }

    fn flops(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        0
    }
}

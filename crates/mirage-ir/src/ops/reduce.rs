//! Reductions. Reduced dimensions have length 1 in the output; the memory order is kept.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    Attrs, DType, Graph, OpError, Operation, TensorType,
    interp::{
        Elements, Tensor,
        index::{self, broadcast_strides, lanes},
        number::wrap,
    },
    op_bail, op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<ArgReduce>(), kind::<Reduce>()];

/// The function of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceFn {
    /// Whether all elements are true, on bool.
    All,
    /// Whether any element is true, on bool.
    Any,
    /// The maximum; NaN if any element is NaN.
    Max,
    /// The mean, on floats.
    Mean,
    /// The minimum; NaN if any element is NaN.
    Min,
    /// The product.
    Prod,
    /// The sum.
    Sum,
}

/// `reduce_sum(x)`, `reduce_mean(x)`, … over some dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// The function.
    pub f: ReduceFn,
    /// The dimensions, ascending.
    pub dims: Vec<usize>,
}

/// `arg_max(x)`, `arg_min(x)`: the index of the first largest or smallest element along a
/// dimension; of the first NaN if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgReduce {
    /// Whether the maximum is searched rather than the minimum.
    pub max: bool,
    /// The dimension.
    pub dim: usize,
    /// The integer dtype of the indices.
    pub dtype: DType,
}

const FUNCTIONS: [ReduceFn; 7] = [
    ReduceFn::All,
    ReduceFn::Any,
    ReduceFn::Max,
    ReduceFn::Mean,
    ReduceFn::Min,
    ReduceFn::Prod,
    ReduceFn::Sum,
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReduceAttrs {
    dims: Vec<usize>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArgAttrs {
    dim: usize,
    dtype: DType,
}

/// The serde form has only the attributes; the function is in the operation's name.
macro_rules! attrs_by {
    ($t:ty, $attrs:ty, $from:expr) => {
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                let from: fn(&$t) -> $attrs = $from;
                from(self).serialize(s)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Err(serde::de::Error::custom(
                    "the function is in the name: use Operation::decode",
                ))
            }
        }
    };
}
attrs_by!(Reduce, ReduceAttrs, |r| ReduceAttrs {
    dims: r.dims.clone()
});
attrs_by!(ArgReduce, ArgAttrs, |r| ArgAttrs {
    dim: r.dim,
    dtype: r.dtype
});

impl Operation for Reduce {
    const NAMES: &'static [&'static str] = &[
        "reduce_all",
        "reduce_any",
        "reduce_max",
        "reduce_mean",
        "reduce_min",
        "reduce_prod",
        "reduce_sum",
    ];

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[self.f as usize].into()
    }

    fn decode(name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let ReduceAttrs { dims } = attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        match Self::NAMES.iter().position(|&n| n == name) {
            Some(i) => Ok(Reduce {
                f: FUNCTIONS[i],
                dims,
            }),
            None => op_bail!("is not a reduction"),
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        let (takes, fits) = match self.f {
            ReduceFn::All | ReduceFn::Any => ("bool", x.dtype == DType::Bool),
            ReduceFn::Mean => ("floating-point tensors", x.dtype.is_float()),
            _ => ("numbers", x.dtype != DType::Bool),
        };
        op_ensure!(fits, "takes {takes}, got {}", x.dtype);
        op_ensure!(
            self.dims.is_sorted_by(|a, b| a < b),
            "dims {:?} must ascend",
            self.dims
        );
        let mut out = x.clone();
        for &d in &self.dims {
            rules::dim(x, d)?;
            let needs_one = matches!(self.f, ReduceFn::Max | ReduceFn::Min | ReduceFn::Mean);
            op_ensure!(
                !needs_one || x.shape[d] > 0,
                "dimension {d} of {x} is empty"
            );
            out.shape[d] = 1;
        }
        Ok(vec![out])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, out) = (inputs[0], &outputs[0]);
        let elements = match x.elements() {
            Elements::Float(v) => Elements::Float(self.of_floats(v, x.shape(), &out.shape)?),
            Elements::Int(v) => {
                let (first, f) = self.of_ints()?;
                let values = fold(v, x.shape(), &out.shape, first, |a, b| f(a, i128::from(b)));
                Elements::Int(
                    values
                        .into_iter()
                        .map(|i| wrap(i, out.dtype))
                        .collect::<Result<_, _>>()?,
                )
            }
            Elements::Bool(v) => {
                let all = self.f == ReduceFn::All;
                Elements::Bool(fold(v, x.shape(), &out.shape, all, |a, b| {
                    if all { a && b } else { a || b }
                }))
            }
        };
        Ok(vec![Tensor::new(out.shape.clone(), elements)?])
    }

    fn flops(&self, inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].numel() as u64
    }
}

impl Operation for ArgReduce {
    const NAMES: &'static [&'static str] = &["arg_min", "arg_max"];

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[usize::from(self.max)].into()
    }

    fn decode(name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let ArgAttrs { dim, dtype } = attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        Ok(ArgReduce {
            max: name == Self::NAMES[1],
            dim,
            dtype,
        })
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let x = inputs[0];
        rules::dim(x, self.dim)?;
        op_ensure!(x.dtype != DType::Bool, "takes numbers, got bool");
        op_ensure!(
            self.dtype.is_int(),
            "indices must be integers, not {}",
            self.dtype
        );
        op_ensure!(
            x.shape[self.dim] > 0,
            "dimension {} of {x} is empty",
            self.dim
        );
        let mut out = x.clone().with_dtype(self.dtype);
        out.shape[self.dim] = 1;
        Ok(vec![out])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let (x, out) = (inputs[0], &outputs[0]);
        let found: Vec<usize> = match x.elements() {
            Elements::Float(v) => lanes(x.shape(), self.dim)
                .map(|lane| {
                    first_extreme(lane.offsets().map(|i| v[i]), |a, b| {
                        !b.is_nan() && (a.is_nan() || if self.max { a > b } else { a < b })
                    })
                })
                .collect(),
            Elements::Int(v) => lanes(x.shape(), self.dim)
                .map(|lane| {
                    first_extreme(lane.offsets().map(|i| v[i]), |a, b| {
                        if self.max { a > b } else { a < b }
                    })
                })
                .collect(),
            Elements::Bool(_) => op_bail!("takes numbers, got bool"),
        };
        let indices = found
            .into_iter()
            .map(|i| wrap(i as i128, out.dtype))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(vec![Tensor::int(out.shape.as_slice(), indices)?])
    }

    fn flops(&self, inputs: &[&TensorType], _outputs: &[TensorType]) -> u64 {
        inputs[0].numel() as u64
    }
}

type IntFn = fn(i128, i128) -> i128;

impl Reduce {
    fn of_floats(&self, v: &[f64], from: &[usize], to: &[usize]) -> Result<Vec<f64>, OpError> {
        use super::binary::{max, min};
        Ok(match self.f {
            ReduceFn::Max => fold(v, from, to, f64::NEG_INFINITY, max),
            ReduceFn::Min => fold(v, from, to, f64::INFINITY, min),
            ReduceFn::Prod => fold(v, from, to, 1.0, |a, b| a * b),
            ReduceFn::Sum => fold(v, from, to, 0.0, |a, b| a + b),
            ReduceFn::Mean => {
                let n: usize = self.dims.iter().map(|&d| from[d]).product();
                fold(v, from, to, 0.0, |a, b| a + b)
                    .into_iter()
                    .map(|sum| sum / n as f64)
                    .collect()
            }
            ReduceFn::All | ReduceFn::Any => op_bail!("takes bool, got floats"),
        })
    }

    /// Returns the value of an empty reduction and the function. Wrapping at 128 bits first gives the same
    /// result as wrapping at fewer bits.
    fn of_ints(&self) -> Result<(i128, IntFn), OpError> {
        Ok(match self.f {
            ReduceFn::Max => (i128::MIN, Ord::max),
            ReduceFn::Min => (i128::MAX, Ord::min),
            ReduceFn::Prod => (1, i128::wrapping_mul),
            ReduceFn::Sum => (0, i128::wrapping_add),
            _ => op_bail!("is not a reduction of integers"),
        })
    }
}

/// Folds a tensor of shape `from` into one of shape `to`, whose reduced dimensions are 1.
fn fold<T: Copy, A: Copy>(
    values: &[T],
    from: &[usize],
    to: &[usize],
    first: A,
    f: impl Fn(A, T) -> A,
) -> Vec<A> {
    let mut out = vec![first; to.iter().product()];
    let strides = broadcast_strides(to, from);
    let places = index::map(from, |i| index::offset(i, &strides));
    places
        .into_iter()
        .zip(values)
        .for_each(|(place, &x)| out[place] = f(out[place], x));
    out
}

/// The position of the first element that no other `beats`.
fn first_extreme<T: Copy>(values: impl Iterator<Item = T>, beats: impl Fn(T, T) -> bool) -> usize {
    let better = |best: (usize, T), x: (usize, T)| if beats(x.1, best.1) { x } else { best };
    values.enumerate().reduce(better).map_or(0, |(i, _)| i)
}

//! Tensor types: element type, logical shape, memory order.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::DType;

/// The memory order of a tensor: a permutation of its logical dimensions, outermost first.
///
/// Storage is contiguous in that order. Row-major is `0,1,2,…`; a logical `[N,C,H,W]` tensor stored
/// channels last has order `0,2,3,1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Order(Vec<u8>);

impl Order {
    /// Row-major order of `rank` dimensions.
    pub fn row_major(rank: usize) -> Self {
        Order((0..rank).map(|d| d as u8).collect())
    }

    /// The channels-last order of `rank` dimensions, with dimension 1 the channels: `0,2,…,1`.
    /// For a rank below 3 this is row-major.
    pub fn channels_last(rank: usize) -> Self {
        if rank < 3 {
            return Self::row_major(rank);
        }
        let mut dims: Vec<u8> = (0..rank as u8).filter(|&d| d != 1).collect();
        dims.push(1);
        Order(dims)
    }

    /// Returns the order of a permutation; an error if `dims` is not a permutation of `0..dims.len()`.
    pub fn new(dims: impl IntoIterator<Item = usize>) -> Result<Self, String> {
        let dims: Vec<usize> = dims.into_iter().collect();
        if dims.len() > 255 || !is_permutation(&dims) {
            return Err(format!(
                "{dims:?} is not a permutation of 0..{}",
                dims.len()
            ));
        }
        Ok(Order(dims.into_iter().map(|d| d as u8).collect()))
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The logical dimensions, outermost in memory first.
    pub fn dims(&self) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + '_ {
        self.0.iter().map(|&d| usize::from(d))
    }

    /// Whether this is row-major.
    pub fn is_row_major(&self) -> bool {
        self.dims().enumerate().all(|(i, d)| i == d)
    }

    /// The inverse permutation: for each logical dimension, its position in memory.
    pub fn inverse(&self) -> Vec<usize> {
        let mut inverse = vec![0; self.rank()];
        for (position, dim) in self.dims().enumerate() {
            inverse[dim] = position;
        }
        inverse
    }
}

/// Whether `dims` holds each of `0..dims.len()` once.
pub(crate) fn is_permutation(dims: &[usize]) -> bool {
    let mut seen = vec![false; dims.len()];
    dims.iter()
        .all(|&d| d < seen.len() && !std::mem::replace(&mut seen[d], true))
}

/// The type of a value: element type, logical shape, and memory order.
///
/// The shape is always the logical one (`[N,C,H,W]` for images), whatever the order. Text form:
/// `f32[1,3,64,64]`, and with an order that is not row-major `f16[1,64,32,32]@[0,2,3,1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Logical shape.
    pub shape: Vec<usize>,
    /// Memory order; its rank is the shape's.
    pub order: Order,
}

impl TensorType {
    /// A row-major type.
    pub fn new(dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let order = Order::row_major(shape.len());
        TensorType {
            dtype,
            shape,
            order,
        }
    }

    /// The same type in another order. The order must have the shape's rank.
    pub fn with_order(mut self, order: Order) -> Self {
        debug_assert_eq!(order.rank(), self.shape.len());
        self.order = order;
        self
    }

    /// The same type with another element type.
    pub fn with_dtype(mut self, dtype: DType) -> Self {
        self.dtype = dtype;
        self
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the whole tensor.
    pub fn bytes(&self) -> usize {
        self.numel() * self.dtype.size()
    }

    /// Returns the shape in memory order, outermost first.
    pub fn physical_shape(&self) -> Vec<usize> {
        self.order.dims().map(|d| self.shape[d]).collect()
    }

    /// Strides in elements of each logical dimension.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        let mut step = 1;
        for d in self.order.dims().rev() {
            strides[d] = step;
            step *= self.shape[d];
        }
        strides
    }

    /// Whether memory is laid out as in row-major order. Dimensions of size 1 don't matter, so this
    /// also holds for `[1,C,1,1]` in any order.
    pub fn is_row_major(&self) -> bool {
        same_layout(&self.shape, &self.order, &Order::row_major(self.rank()))
    }

    /// Whether a tensor of this type has the same layout in memory as one of `other`: same shape and dtype,
    /// orders equal up to dimensions of size 1.
    pub fn same_memory(&self, other: &TensorType) -> bool {
        self.dtype == other.dtype
            && self.shape == other.shape
            && same_layout(&self.shape, &self.order, &other.order)
    }
}

/// Whether two orders of one shape put every element at the same offset: they are equal without the
/// dimensions of size 1.
pub fn same_layout(shape: &[usize], a: &Order, b: &Order) -> bool {
    let wide = |o: &Order| -> Vec<usize> { o.dims().filter(|&d| shape[d] != 1).collect() };
    a == b || wide(a) == wide(b)
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.dtype, join(self.shape.iter()))?;
        if !self.order.is_row_major() {
            write!(f, "@[{}]", join(self.order.dims()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", join(self.dims()))
    }
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|i| i.to_string()).collect::<Vec<_>>().join(",")
}

impl FromStr for TensorType {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || {
            format!(
                "`{s}` is not a tensor type: expected e.g. f32[1,3,64,64] or f16[1,8,4,4]@[0,2,3,1]"
            )
        };
        let (dtype, rest) = s.split_once('[').ok_or_else(bad)?;
        let (shape, rest) = rest.split_once(']').ok_or_else(bad)?;
        let shape = numbers(shape).ok_or_else(bad)?;
        shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .and_then(|n| n.checked_mul(8))
            .ok_or_else(|| format!("`{s}` has more elements than memory can address"))?;
        let mut ty = TensorType::new(dtype.trim().parse()?, shape);
        if !rest.is_empty() {
            let dims = rest
                .strip_prefix("@[")
                .and_then(|r| r.strip_suffix(']'))
                .ok_or_else(bad)?;
            let order = Order::new(numbers(dims).ok_or_else(bad)?)?;
            if order.rank() != ty.rank() {
                return Err(format!(
                    "`{s}`: the order has {} dimensions, the shape {}",
                    order.rank(),
                    ty.rank()
                ));
            }
            ty.order = order;
        }
        Ok(ty)
    }
}

fn numbers(s: &str) -> Option<Vec<usize>> {
    if s.trim().is_empty() {
        return Some(Vec::new());
    }
    s.split(',').map(|n| n.trim().parse().ok()).collect()
}

macro_rules! serde_as_string {
    ($t:ty) => {
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let s = std::borrow::Cow::<str>::deserialize(d)?;
                s.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

serde_as_string!(TensorType);

impl Serialize for Order {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.dims())
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Order::new(Vec::<usize>::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

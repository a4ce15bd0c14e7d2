//! Tensors of the interpreter.

use super::index;
use crate::{DType, OpError, Scalar, TensorType, op_bail, op_ensure};

/// The elements of a [`Tensor`] in logical row-major sequence, whatever the memory order of the
/// value that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Of a float dtype.
    Float(Vec<f64>),
    /// Of an integer dtype. A u64 of 2⁶³ or more cannot be represented and is an error.
    Int(Vec<i64>),
    /// Of bool.
    Bool(Vec<bool>),
}

impl Elements {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Elements::Float(v) => v.len(),
            Elements::Int(v) => v.len(),
            Elements::Bool(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether these are the class for `dtype`: floats for any float dtype, and so on.
    pub fn hold(&self, dtype: DType) -> bool {
        match self {
            Elements::Float(_) => dtype.is_float(),
            Elements::Int(_) => dtype.is_int(),
            Elements::Bool(_) => dtype == DType::Bool,
        }
    }

    /// Returns the class of the elements in words, for messages.
    pub fn class(&self) -> &'static str {
        match self {
            Elements::Float(_) => "floats",
            Elements::Int(_) => "integers",
            Elements::Bool(_) => "bools",
        }
    }
}

/// A tensor: a logical shape and elements in row-major sequence. Floats are f64 and integers i64 for any
/// dtype; it has no memory order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    elements: Elements,
}

impl Tensor {
    /// Returns a tensor; an error if the number of elements does not match the shape.
    pub fn new(shape: impl Into<Vec<usize>>, elements: Elements) -> Result<Self, OpError> {
        let shape = shape.into();
        let want = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        op_ensure!(
            want == Some(elements.len()),
            "a tensor of shape {shape:?} cannot have {} elements",
            elements.len()
        );
        Ok(Tensor { shape, elements })
    }

    /// A tensor of floats.
    pub fn float(
        shape: impl Into<Vec<usize>>,
        values: impl Into<Vec<f64>>,
    ) -> Result<Self, OpError> {
        Self::new(shape, Elements::Float(values.into()))
    }

    /// A tensor of integers.
    pub fn int(shape: impl Into<Vec<usize>>, values: impl Into<Vec<i64>>) -> Result<Self, OpError> {
        Self::new(shape, Elements::Int(values.into()))
    }

    /// A tensor of bools.
    pub fn bool(
        shape: impl Into<Vec<usize>>,
        values: impl Into<Vec<bool>>,
    ) -> Result<Self, OpError> {
        Self::new(shape, Elements::Bool(values.into()))
    }

    /// A tensor of this type whose elements are all `value`, which must be a value of its dtype.
    pub fn full(ty: &TensorType, value: Scalar) -> Result<Self, OpError> {
        Self::from_scalars(ty, &vec![value; ty.numel()])
    }

    /// A tensor of this type with these elements, which must be values of its dtype.
    pub fn from_scalars(ty: &TensorType, values: &[Scalar]) -> Result<Self, OpError> {
        let elements = if ty.dtype.is_float() {
            Elements::Float(values.iter().map(|v| v.as_f64()).collect())
        } else if ty.dtype.is_int() {
            Elements::Int(values.iter().map(|v| v.as_i64()).collect())
        } else {
            Elements::Bool(values.iter().map(|v| v.as_i64() != 0).collect())
        };
        Self::new(ty.shape.clone(), elements)
    }

    /// A tensor of this type of zeros, or of false.
    pub fn zeros(ty: &TensorType) -> Self {
        let n = ty.numel();
        let elements = match ty.dtype {
            DType::Bool => Elements::Bool(vec![false; n]),
            d if d.is_float() => Elements::Float(vec![0.0; n]),
            _ => Elements::Int(vec![0; n]),
        };
        Tensor {
            shape: ty.shape.clone(),
            elements,
        }
    }

    /// The logical shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements in logical row-major sequence.
    pub fn elements(&self) -> &Elements {
        &self.elements
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.elements.len()
    }

    /// The elements of a tensor of floats; an error on another.
    pub fn floats(&self) -> Result<&[f64], OpError> {
        match &self.elements {
            Elements::Float(v) => Ok(v),
            other => op_bail!("expected floats, got {}", other.class()),
        }
    }

    /// The elements of a tensor of integers; an error on another.
    pub fn ints(&self) -> Result<&[i64], OpError> {
        match &self.elements {
            Elements::Int(v) => Ok(v),
            other => op_bail!("expected integers, got {}", other.class()),
        }
    }

    /// The elements of a tensor of bools; an error on another.
    pub fn bools(&self) -> Result<&[bool], OpError> {
        match &self.elements {
            Elements::Bool(v) => Ok(v),
            other => op_bail!("expected bools, got {}", other.class()),
        }
    }

    /// Whether this can be a value of type `ty`: the same shape, elements of its dtype's class.
    pub fn fits(&self, ty: &TensorType) -> bool {
        self.shape == ty.shape && self.elements.hold(ty.dtype)
    }

    /// The same elements in another shape.
    pub fn reshaped(&self, shape: impl Into<Vec<usize>>) -> Result<Self, OpError> {
        Self::new(shape, self.elements.clone())
    }

    /// A tensor of elements of this one: at each index into `shape` the element at the offset that
    /// `pick` gives, which must lie inside.
    pub fn take(
        &self,
        shape: &[usize],
        mut pick: impl FnMut(&[usize]) -> Result<usize, OpError>,
    ) -> Result<Self, OpError> {
        Self::assemble(&[self], shape, |index| Ok((0, pick(index)?)))
    }

    /// A tensor of elements of several of one class (at least one): at each index into `shape` the
    /// element of the part and at the offset that `pick` gives, which must lie inside.
    pub fn assemble(
        parts: &[&Tensor],
        shape: &[usize],
        pick: impl FnMut(&[usize]) -> Result<(usize, usize), OpError>,
    ) -> Result<Self, OpError> {
        let elements = match parts.first().map(|t| &t.elements) {
            Some(Elements::Float(_)) => {
                Elements::Float(collect(parts, Tensor::floats, shape, pick)?)
            }
            Some(Elements::Int(_)) => Elements::Int(collect(parts, Tensor::ints, shape, pick)?),
            Some(Elements::Bool(_)) => Elements::Bool(collect(parts, Tensor::bools, shape, pick)?),
            None => op_bail!("takes at least one tensor"),
        };
        Self::new(shape, elements)
    }
}

fn collect<T: Copy>(
    parts: &[&Tensor],
    view: fn(&Tensor) -> Result<&[T], OpError>,
    shape: &[usize],
    mut pick: impl FnMut(&[usize]) -> Result<(usize, usize), OpError>,
) -> Result<Vec<T>, OpError> {
    let parts = parts
        .iter()
        .map(|t| view(t))
        .collect::<Result<Vec<&[T]>, _>>()?;
    index::try_map(shape, |index| {
        let (part, offset) = pick(index)?;
        Ok(parts[part][offset])
    })
}

//! Scalars in attributes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DType, interp::number::wrap};

/// A scalar attribute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// For bool tensors.
    Bool(bool),
    /// For integer tensors; also accepted for floating-point tensors.
    Int(i64),
    /// For floating-point tensors.
    Float(f64),
}

impl Scalar {
    /// Converts to f64; a bool becomes 0 or 1.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => f64::from(u8::from(b)),
            Scalar::Int(i) => i as f64,
            Scalar::Float(f) => f,
        }
    }

    /// Converts to i64; a float is truncated, a bool becomes 0 or 1.
    pub fn as_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => i64::from(b),
            Scalar::Int(i) => i,
            Scalar::Float(f) => f as i64,
        }
    }

    /// Whether it is a value of `dtype`.
    pub fn fits(self, dtype: DType) -> bool {
        match self {
            Scalar::Bool(_) => dtype == DType::Bool,
            Scalar::Int(i) if dtype.is_int() => wrap(i128::from(i), dtype) == Ok(i),
            Scalar::Int(_) => dtype.is_float(),
            Scalar::Float(_) => dtype.is_float(),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(b) => b.fmt(f),
            Scalar::Int(i) => i.fmt(f),
            Scalar::Float(x) => write!(f, "{x:?}"),
        }
    }
}

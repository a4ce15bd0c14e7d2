//! Functions of two elements, of an element and a scalar, and the choice between two elements.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{Attrs, DType, Graph, OpError, Operation, TensorType, op_bail, op_ensure};

/// A number that stands in an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// For bool tensors.
    Bool(bool),
    /// For integer tensors; a floating-point tensor takes it too.
    Int(i64),
    /// For floating-point tensors.
    Float(f64),
}

impl Scalar {
    /// As f64; bool is 0 or 1.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => f64::from(u8::from(b)),
            Scalar::Int(i) => i as f64,
            Scalar::Float(f) => f,
        }
    }

    /// As i64; a float is truncated, bool is 0 or 1.
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
            Scalar::Int(_) => dtype != DType::Bool,
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

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scalar:literal;)*) => {
        /// A function of two elements, with broadcasting: ranks are equal, and a dimension of 1
        /// stretches. Comparisons give bool.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Binary { $($(#[$doc])* $variant,)* }

        impl Binary {
            /// Every function.
            pub const ALL: &'static [Binary] = &[$(Binary::$variant,)*];
            const ALL_NAMES: &'static [&'static str] = &[$($name,)*];
            const SCALAR_NAMES: &'static [&'static str] = &[$($scalar,)*];
        }
    };
}

binary! {
    /// a + b
    Add = "add", "add_scalar";
    /// a and b, on bool
    And = "and", "and_scalar";
    /// a / b; on integers, truncated toward zero
    Div = "div", "div_scalar";
    /// a = b; gives bool
    Eq = "eq", "eq_scalar";
    /// a ≥ b; gives bool
    Ge = "ge", "ge_scalar";
    /// a > b; gives bool
    Gt = "gt", "gt_scalar";
    /// a ≤ b; gives bool
    Le = "le", "le_scalar";
    /// a < b; gives bool
    Lt = "lt", "lt_scalar";
    /// the larger
    Max = "max", "max_scalar";
    /// the smaller
    Min = "min", "min_scalar";
    /// a · b
    Mul = "mul", "mul_scalar";
    /// a ≠ b; gives bool
    Ne = "ne", "ne_scalar";
    /// a or b, on bool
    Or = "or", "or_scalar";
    /// a to the power of b, on floats
    Pow = "pow", "pow_scalar";
    /// the remainder of a / b with the sign of b (as in Python)
    Rem = "rem", "rem_scalar";
    /// a − b
    Sub = "sub", "sub_scalar";
    /// exactly one of a and b, on bool
    Xor = "xor", "xor_scalar";
}

impl Binary {
    /// Whether the output is bool whatever the inputs are.
    pub fn is_comparison(self) -> bool {
        use Binary::*;
        matches!(self, Eq | Ge | Gt | Le | Lt | Ne)
    }

    fn is_logic(self) -> bool {
        matches!(self, Binary::And | Binary::Or | Binary::Xor)
    }

    /// Whether a and b can be exchanged.
    pub fn is_commutative(self) -> bool {
        use Binary::*;
        matches!(self, Add | And | Eq | Max | Min | Mul | Ne | Or | Xor)
    }

    /// The output's dtype, or why the inputs' dtype does not fit.
    fn result(self, dtype: DType) -> Result<DType, OpError> {
        let (takes, fits) = match self {
            Binary::Pow => ("floating-point tensors", dtype.is_float()),
            Binary::Eq | Binary::Ne => ("tensors", true),
            f if f.is_logic() => ("bool", dtype == DType::Bool),
            _ => ("numbers", dtype != DType::Bool),
        };
        op_ensure!(fits, "takes {takes}, got {dtype}");
        Ok(if self.is_comparison() { DType::Bool } else { dtype })
    }
}

impl Operation for Binary {
    const NAMES: &'static [&'static str] = Binary::ALL_NAMES;

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[*self as usize].into()
    }

    fn attrs(&self) -> Attrs {
        Attrs::new()
    }

    fn decode(name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        op_ensure!(attrs.is_empty(), "takes no attributes");
        match Self::NAMES.iter().position(|&n| n == name) {
            Some(i) => Ok(Self::ALL[i]),
            None => op_bail!("is not a function of two elements"),
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 2..=2)?;
        let dtype = self.result(rules::same_dtype(inputs)?)?;
        let (shape, order) = rules::broadcast(inputs)?;
        Ok(vec![TensorType { dtype, shape, order }])
    }
}

/// A [`Binary`] function whose second operand is a scalar: `add_scalar`, `mul_scalar`, …
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WithScalar {
    /// The function.
    pub f: Binary,
    /// The second operand.
    pub value: Scalar,
}

impl WithScalar {
    /// The function with a float.
    pub fn float(f: Binary, value: f64) -> Self {
        WithScalar { f, value: Scalar::Float(value) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScalarAttrs {
    value: Scalar,
}

impl Serialize for WithScalar {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        ScalarAttrs { value: self.value }.serialize(s)
    }
}

impl<'de> Deserialize<'de> for WithScalar {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("the function is in the name: use Operation::decode"))
    }
}

impl Operation for WithScalar {
    const NAMES: &'static [&'static str] = Binary::SCALAR_NAMES;

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[self.f as usize].into()
    }

    fn decode(name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let ScalarAttrs { value } =
            attrs.try_into().map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        match Self::NAMES.iter().position(|&n| n == name) {
            Some(i) => Ok(WithScalar { f: Binary::ALL[i], value }),
            None => op_bail!("is not a function of an element and a scalar"),
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let dtype = inputs[0].dtype;
        op_ensure!(self.value.fits(dtype), "value {} is not a value of {dtype}", self.value);
        Ok(vec![inputs[0].clone().with_dtype(self.f.result(dtype)?)])
    }
}

/// `select(condition, a, b)`: a where the condition holds, else b; with broadcasting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Select {}

impl Operation for Select {
    const NAMES: &'static [&'static str] = &["select"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 3..=3)?;
        op_ensure!(inputs[0].dtype == DType::Bool, "the condition must be bool, got {}", inputs[0]);
        let dtype = rules::same_dtype(&inputs[1..])?;
        let (shape, order) = rules::broadcast(inputs)?;
        Ok(vec![TensorType { dtype, shape, order }])
    }
}

//! Functions of two elements, of an element and a scalar, and the choice between two elements.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Kind, Scalar, kind, rules};
use crate::{
    Attrs, DType, Graph, OpError, Operation, TensorType,
    interp::{
        Elements, Tensor,
        index::{self, broadcast_strides, offset},
        number::wrap,
    },
    op_bail, op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Binary>(), kind::<Select>(), kind::<WithScalar>()];

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $scalar:literal;)*) => {
        /// A function of two elements, with broadcasting: ranks are equal, and a dimension of 1
        /// stretches. Comparisons give bool. Integers wrap at the width of their dtype; dividing one by
        /// 0 is an error at execution.
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
    /// the larger; NaN if either is
    Max = "max", "max_scalar";
    /// the smaller; NaN if either is
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
        Ok(if self.is_comparison() {
            DType::Bool
        } else {
            dtype
        })
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
        Ok(vec![TensorType {
            dtype,
            shape,
            order,
        }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![self.evaluate(inputs[0], inputs[1], &outputs[0])?])
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
        WithScalar {
            f,
            value: Scalar::Float(value),
        }
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
        Err(serde::de::Error::custom(
            "the function is in the name: use Operation::decode",
        ))
    }
}

impl Operation for WithScalar {
    const NAMES: &'static [&'static str] = Binary::SCALAR_NAMES;

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[self.f as usize].into()
    }

    fn decode(name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        let ScalarAttrs { value } = attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
        match Self::NAMES.iter().position(|&n| n == name) {
            Some(i) => Ok(WithScalar {
                f: Binary::ALL[i],
                value,
            }),
            None => op_bail!("is not a function of an element and a scalar"),
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let dtype = inputs[0].dtype;
        op_ensure!(
            self.value.fits(dtype),
            "value {} is not a value of {dtype}",
            self.value
        );
        Ok(vec![inputs[0].clone().with_dtype(self.f.result(dtype)?)])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let x = inputs[0];
        // The comparisons' output is bool; the operand's dtype is only known by its class then, which is
        // enough, because the scalar is an attribute that fits the operand.
        let like = match x.elements() {
            Elements::Float(_) => DType::F64,
            Elements::Int(_) => DType::I64,
            Elements::Bool(_) => DType::Bool,
        };
        let scalar = Tensor::full(&TensorType::new(like, vec![1; x.shape().len()]), self.value)?;
        Ok(vec![self.f.evaluate(x, &scalar, &outputs[0])?])
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
        op_ensure!(
            inputs[0].dtype == DType::Bool,
            "the condition must be bool, got {}",
            inputs[0]
        );
        let dtype = rules::same_dtype(&inputs[1..])?;
        let (shape, order) = rules::broadcast(inputs)?;
        Ok(vec![TensorType {
            dtype,
            shape,
            order,
        }])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let shape = &outputs[0].shape;
        let strides: Vec<_> = inputs
            .iter()
            .map(|t| broadcast_strides(t.shape(), shape))
            .collect();
        let condition = inputs[0].bools()?;
        let selected = Tensor::assemble(&inputs[1..], shape, |i| {
            let part = usize::from(!condition[offset(i, &strides[0])]);
            Ok((part, offset(i, &strides[1 + part])))
        });
        Ok(vec![selected?])
    }
}

impl Binary {
    /// The definition on two tensors that broadcast to the type `out`.
    fn evaluate(self, a: &Tensor, b: &Tensor, out: &TensorType) -> Result<Tensor, OpError> {
        let pair = Pair {
            shapes: [a.shape(), b.shape()],
            out: &out.shape,
        };
        let elements = match (a.elements(), b.elements()) {
            (Elements::Float(x), Elements::Float(y)) => match self.comparison() {
                Some(f) => Elements::Bool(pair.zip(x, y, |x, y| Ok(f(&x, &y)))?),
                None => Elements::Float(pair.zip(x, y, |x, y| self.of_floats(x, y))?),
            },
            (Elements::Int(x), Elements::Int(y)) => match self.comparison() {
                Some(f) => Elements::Bool(pair.zip(x, y, |x, y| Ok(f(&x, &y)))?),
                None => Elements::Int(pair.zip(x, y, |x, y| self.of_integers(x, y, out.dtype))?),
            },
            (Elements::Bool(x), Elements::Bool(y)) => {
                Elements::Bool(pair.zip(x, y, |x, y| self.of_bools(x, y))?)
            }
            (x, y) => op_bail!(
                "takes inputs of one dtype, got {} and {}",
                x.class(),
                y.class()
            ),
        };
        Tensor::new(out.shape.clone(), elements)
    }

    /// The function of two integers, wrapped to their dtype; of a comparison 0 or 1.
    ///
    /// # Errors
    /// If an integer is divided by 0, integers have no such function, or the result is a u64 of 2⁶³ or more.
    pub fn of_integers(self, a: i64, b: i64, dtype: DType) -> Result<i64, OpError> {
        match self.comparison() {
            Some(f) => Ok(i64::from(f(&a, &b))),
            None => wrap(self.of_ints(i128::from(a), i128::from(b))?, dtype),
        }
    }

    /// The function of two bools.
    ///
    /// # Errors
    /// If bools have no such function.
    pub fn of_truths(self, a: bool, b: bool) -> Result<bool, OpError> {
        self.of_bools(a, b)
    }

    fn comparison<T: PartialOrd>(self) -> Option<fn(&T, &T) -> bool> {
        match self {
            Binary::Eq => Some(T::eq),
            Binary::Ge => Some(T::ge),
            Binary::Gt => Some(T::gt),
            Binary::Le => Some(T::le),
            Binary::Lt => Some(T::lt),
            Binary::Ne => Some(T::ne),
            _ => None,
        }
    }

    fn of_floats(self, a: f64, b: f64) -> Result<f64, OpError> {
        Ok(match self {
            Binary::Add => a + b,
            Binary::Div => a / b,
            Binary::Max => max(a, b),
            Binary::Min => min(a, b),
            Binary::Mul => a * b,
            Binary::Pow => a.powf(b),
            Binary::Rem => {
                let r = a % b;
                if r != 0.0 && (r < 0.0) != (b < 0.0) {
                    r + b
                } else {
                    r
                }
            }
            Binary::Sub => a - b,
            _ => op_bail!("is not a function of floats"),
        })
    }

    /// Of integers of at most 64 bits; not wrapped yet.
    fn of_ints(self, a: i128, b: i128) -> Result<i128, OpError> {
        Ok(match self {
            Binary::Add => a + b,
            Binary::Div | Binary::Rem if b == 0 => op_bail!("divides an integer by 0"),
            Binary::Div => a / b,
            Binary::Max => a.max(b),
            Binary::Min => a.min(b),
            Binary::Mul => a * b,
            Binary::Rem => {
                let r = a % b;
                if r != 0 && (r < 0) != (b < 0) {
                    r + b
                } else {
                    r
                }
            }
            Binary::Sub => a - b,
            _ => op_bail!("is not a function of integers"),
        })
    }

    fn of_bools(self, a: bool, b: bool) -> Result<bool, OpError> {
        Ok(match self {
            Binary::And => a && b,
            Binary::Eq => a == b,
            Binary::Ne | Binary::Xor => a != b,
            Binary::Or => a || b,
            _ => op_bail!("is not a function of bools"),
        })
    }
}

/// The larger of two floats; NaN if either is.
pub(super) fn max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The smaller of two floats; NaN if either is.
pub(super) fn min(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

/// Two shapes and the one that they broadcast to.
struct Pair<'a> {
    shapes: [&'a [usize]; 2],
    out: &'a [usize],
}

impl Pair<'_> {
    fn zip<T: Copy, R>(
        &self,
        a: &[T],
        b: &[T],
        f: impl Fn(T, T) -> Result<R, OpError>,
    ) -> Result<Vec<R>, OpError> {
        let [sa, sb] = self.shapes.map(|shape| broadcast_strides(shape, self.out));
        index::try_map(self.out, |i| f(a[offset(i, &sa)], b[offset(i, &sb)]))
    }
}

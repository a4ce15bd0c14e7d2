//! Functions of one element.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{
    Attrs, DType, Graph, OpError, Operation, TensorType,
    interp::{Elements, Tensor, number::wrap},
    op_bail, op_ensure,
};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Unary>()];

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A function applied to each element. The output has the input's shape and order, and its
        /// dtype except for [`Unary::IsNan`] and [`Unary::IsInf`], which give bool.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Unary { $($(#[$doc])* $variant,)* }

        impl Unary {
            /// Every function.
            pub const ALL: &'static [Unary] = &[$(Unary::$variant,)*];
            const ALL_NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

unary! {
    /// |x|
    Abs = "abs",
    /// arc cosine
    Acos = "acos",
    /// arc sine
    Asin = "asin",
    /// arc tangent
    Atan = "atan",
    /// least integer not below x
    Ceil = "ceil",
    /// cosine
    Cos = "cos",
    /// hyperbolic cosine
    Cosh = "cosh",
    /// error function
    Erf = "erf",
    /// e^x
    Exp = "exp",
    /// greatest integer not above x
    Floor = "floor",
    /// x·(1 + erf(x/√2))/2
    Gelu = "gelu",
    /// x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2
    GeluTanh = "gelu_tanh",
    /// whether x is ±∞; gives bool
    IsInf = "is_inf",
    /// whether x is not a number; gives bool
    IsNan = "is_nan",
    /// natural logarithm
    Log = "log",
    /// log(1 + x)
    Log1p = "log1p",
    /// −x
    Neg = "neg",
    /// logical not, on bool
    Not = "not",
    /// 1/x
    Recip = "recip",
    /// max(x, 0)
    Relu = "relu",
    /// nearest integer, ties to even
    Round = "round",
    /// 1/√x
    Rsqrt = "rsqrt",
    /// 1/(1 + e^−x)
    Sigmoid = "sigmoid",
    /// −1, 0 or 1; 0 for NaN
    Sign = "sign",
    /// x·sigmoid(x)
    Silu = "silu",
    /// sine
    Sin = "sin",
    /// hyperbolic sine
    Sinh = "sinh",
    /// √x
    Sqrt = "sqrt",
    /// x²
    Square = "square",
    /// tangent
    Tan = "tan",
    /// hyperbolic tangent
    Tanh = "tanh",
    /// integer part
    Trunc = "trunc",
}

impl Operation for Unary {
    const NAMES: &'static [&'static str] = Unary::ALL_NAMES;

    fn name(&self) -> Cow<'static, str> {
        Self::NAMES[*self as usize].into()
    }

    fn attrs(&self) -> Attrs {
        Attrs::new()
    }

    fn decode(
        name: &str,
        attrs: Attrs,
        _body: Option<std::sync::Arc<Graph>>,
    ) -> Result<Self, OpError> {
        op_ensure!(attrs.is_empty(), "takes no attributes");
        match Self::NAMES.iter().position(|&n| n == name) {
            Some(i) => Ok(Self::ALL[i]),
            None => op_bail!("is not a function of one element"),
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, 1..=1)?;
        let dtype = inputs[0].dtype;
        let (takes, fits) = match self {
            Unary::Not => ("bool", dtype == DType::Bool),
            Unary::Abs | Unary::Neg | Unary::Sign | Unary::Square => {
                ("numbers", dtype != DType::Bool)
            }
            _ => ("floating-point tensors", dtype.is_float()),
        };
        op_ensure!(fits, "takes {takes}, got {dtype}");
        let out = match self {
            Unary::IsNan | Unary::IsInf => DType::Bool,
            _ => dtype,
        };
        Ok(vec![inputs[0].clone().with_dtype(out)])
    }

    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        let elements = match (self, inputs[0].elements()) {
            (Unary::IsInf, Elements::Float(v)) => {
                Elements::Bool(v.iter().map(|x| x.is_infinite()).collect())
            }
            (Unary::IsNan, Elements::Float(v)) => {
                Elements::Bool(v.iter().map(|x| x.is_nan()).collect())
            }
            (Unary::Not, Elements::Bool(v)) => Elements::Bool(v.iter().map(|x| !x).collect()),
            (_, Elements::Float(v)) => {
                let f = self.of_float()?;
                Elements::Float(v.iter().map(|&x| f(x)).collect())
            }
            (_, Elements::Int(v)) => {
                let (f, dtype) = (self.of_int()?, outputs[0].dtype);
                Elements::Int(
                    v.iter()
                        .map(|&x| wrap(f(i128::from(x)), dtype))
                        .collect::<Result<_, _>>()?,
                )
            }
            (_, Elements::Bool(_)) => op_bail!("is not a function of bools"),
        };
        Ok(vec![Tensor::new(inputs[0].shape(), elements)?])
    }
}

impl Unary {
    fn of_float(self) -> Result<fn(f64) -> f64, OpError> {
        Ok(match self {
            Unary::Abs => f64::abs,
            Unary::Acos => f64::acos,
            Unary::Asin => f64::asin,
            Unary::Atan => f64::atan,
            Unary::Ceil => f64::ceil,
            Unary::Cos => f64::cos,
            Unary::Cosh => f64::cosh,
            Unary::Erf => libm::erf,
            Unary::Exp => f64::exp,
            Unary::Floor => f64::floor,
            Unary::Gelu => gelu,
            Unary::GeluTanh => gelu_tanh,
            Unary::Log => f64::ln,
            Unary::Log1p => f64::ln_1p,
            Unary::Neg => |x| -x,
            Unary::Recip => f64::recip,
            // Not `f64::max`, which gives 0 for NaN.
            Unary::Relu => |x| if x < 0.0 { 0.0 } else { x },
            Unary::Round => f64::round_ties_even,
            Unary::Rsqrt => |x| x.sqrt().recip(),
            Unary::Sigmoid => |x| 1.0 / (1.0 + (-x).exp()),
            Unary::Sign => |x| f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            Unary::Silu => |x| x / (1.0 + (-x).exp()),
            Unary::Sin => f64::sin,
            Unary::Sinh => f64::sinh,
            Unary::Sqrt => f64::sqrt,
            Unary::Square => |x| x * x,
            Unary::Tan => f64::tan,
            Unary::Tanh => f64::tanh,
            Unary::Trunc => f64::trunc,
            Unary::IsInf | Unary::IsNan | Unary::Not => op_bail!("does not give floats"),
        })
    }

    fn of_int(self) -> Result<fn(i128) -> i128, OpError> {
        Ok(match self {
            Unary::Abs => i128::abs,
            Unary::Neg => |x| -x,
            Unary::Sign => i128::signum,
            Unary::Square => |x| x * x,
            _ => op_bail!("is not a function of integers"),
        })
    }
}

/// Uses erfc instead of 1 + erf, which cancels for large negative x.
fn gelu(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu_tanh(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    0.5 * x * (1.0 + inner.tanh())
}

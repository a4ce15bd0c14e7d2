//! Functions of one element.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::rules;
use crate::{Attrs, DType, Graph, OpError, Operation, TensorType, op_bail, op_ensure};

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
    /// −1, 0 or 1
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
            Unary::Abs | Unary::Neg | Unary::Sign | Unary::Square => ("numbers", dtype != DType::Bool),
            _ => ("floating-point tensors", dtype.is_float()),
        };
        op_ensure!(fits, "takes {takes}, got {dtype}");
        let out = match self {
            Unary::IsNan | Unary::IsInf => DType::Bool,
            _ => dtype,
        };
        Ok(vec![inputs[0].clone().with_dtype(out)])
    }
}

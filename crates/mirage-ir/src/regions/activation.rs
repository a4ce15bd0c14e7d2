//! The activation at the end of a region.

use serde::{Deserialize, Serialize};

use crate::{GraphBuilder, GraphError, ValueId, ops::Unary};

/// The attribute for the elementwise function at the end of a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// None.
    #[default]
    None,
    /// See [`Unary::Gelu`].
    Gelu,
    /// See [`Unary::GeluTanh`].
    GeluTanh,
    /// See [`Unary::Relu`].
    Relu,
    /// See [`Unary::Sigmoid`].
    Sigmoid,
    /// See [`Unary::Silu`].
    Silu,
    /// See [`Unary::Tanh`].
    Tanh,
}

impl Activation {
    const PAIRS: [(Activation, Unary); 6] = [
        (Activation::Gelu, Unary::Gelu),
        (Activation::GeluTanh, Unary::GeluTanh),
        (Activation::Relu, Unary::Relu),
        (Activation::Sigmoid, Unary::Sigmoid),
        (Activation::Silu, Unary::Silu),
        (Activation::Tanh, Unary::Tanh),
    ];

    /// Returns the function; `None` for no activation.
    pub fn function(self) -> Option<Unary> {
        let found = Self::PAIRS.iter().find(|(a, _)| *a == self);
        found.map(|(_, f)| *f)
    }

    /// Returns the activation for this function, if there is one.
    pub fn of(f: Unary) -> Option<Self> {
        Self::PAIRS.iter().find(|(_, g)| *g == f).map(|(a, _)| *a)
    }
}

/// Adds the activation; returns the value itself if there is none.
pub(super) fn apply(
    b: &mut GraphBuilder,
    activation: Activation,
    value: ValueId,
) -> Result<ValueId, GraphError> {
    match activation.function() {
        Some(f) => b.op(f, &[value]),
        None => Ok(value),
    }
}

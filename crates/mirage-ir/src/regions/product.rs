//! Regions of a convolution or a linear layer, a residual and an activation.

use serde::{Deserialize, Serialize};

use super::{Activation, KnownRegion, activation, body};
use crate::{
    Graph, Op, OpError, Operation, TensorType,
    ops::{Binary, Conv, Linear},
};

/// The attributes; those of the convolution or linear layer are under `op`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Product<T> {
    /// The convolution's or the linear layer's attributes.
    pub op: T,
    /// Whether a bias is among the inputs, after the weight.
    #[serde(default)]
    pub bias: bool,
    /// Whether the last input is a residual, which has the shape of the result.
    #[serde(default)]
    pub residual: bool,
    /// The activation.
    #[serde(default)]
    pub activation: Activation,
}

/// `activation(conv(x, weight, bias?) + residual?)`.
pub type ConvAct = Product<Conv>;

/// `activation(linear(x, weight, bias?) + residual?)`.
pub type LinearAct = Product<Linear>;

impl KnownRegion for ConvAct {
    const KIND: &'static str = "conv_act";
    const SUMMARY: &'static str = "convolution, optional residual, optional activation";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        expand(self, inputs)
    }
}

impl KnownRegion for LinearAct {
    const KIND: &'static str = "linear_act";
    const SUMMARY: &'static str = "linear layer, optional residual, optional activation";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        expand(self, inputs)
    }
}

impl<T: Operation> Product<T>
where
    Product<T>: KnownRegion,
{
    /// Returns the attributes of an operation with this many operands, if it is a region of this kind or the
    /// bare convolution or linear layer, so that one kernel can run both.
    pub fn of(op: &Op, operands: usize) -> Option<Self> {
        match op.get::<T>() {
            Some(bare) => Some(Product {
                op: bare.clone(),
                bias: operands == 3,
                residual: false,
                activation: Activation::None,
            }),
            None => Self::of_region(op),
        }
    }
}

fn expand<T: Operation>(product: &Product<T>, inputs: &[&TensorType]) -> Result<Graph, OpError>
where
    Product<T>: KnownRegion,
{
    let mut names = vec!["x", "weight"];
    names.extend(product.bias.then_some("bias"));
    names.extend(product.residual.then_some("residual"));
    body::body(Product::<T>::KIND, &names, inputs, |b, values| {
        let (operands, residual) = values.split_at(values.len() - usize::from(product.residual));
        let mut out = b.op(product.op.clone(), operands)?;
        if let [residual] = residual {
            out = b.op(Binary::Add, &[out, *residual])?;
        }
        activation::apply(b, product.activation, out)
    })
}

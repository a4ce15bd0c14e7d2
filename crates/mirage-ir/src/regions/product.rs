//! A convolution or a linear layer with what follows it.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Activation, RegionKind, activation, body, read};
use crate::{
    Attrs, Graph, Op, OpError, TensorType,
    ops::{Binary, Conv, Linear},
};

/// `activation(conv(x, weight, bias?) + residual?)`.
pub(super) const CONV_ACT: RegionKind = RegionKind {
    name: "conv_act",
    summary: "convolution, then a residual and an activation where there are",
    expand: |attributes, inputs| expand::<Conv>("conv_act", attributes, inputs),
};

/// `activation(linear(x, weight, bias?) + residual?)`.
pub(super) const LINEAR_ACT: RegionKind = RegionKind {
    name: "linear_act",
    summary: "linear layer, then a residual and an activation where there are",
    expand: |attributes, inputs| expand::<Linear>("linear_act", attributes, inputs),
};

/// What follows the product; the product's own attributes stand under `op`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Product<T> {
    /// The convolution's or the linear layer's attributes.
    op: T,
    /// Whether a bias is among the inputs, after the weight.
    #[serde(default)]
    bias: bool,
    /// Whether a residual is among the inputs, the last.
    #[serde(default)]
    residual: bool,
    /// The activation.
    #[serde(default)]
    activation: Activation,
}

fn expand<T: DeserializeOwned + Into<Op>>(
    name: &str,
    attributes: &Attrs,
    inputs: &[&TensorType],
) -> Result<Graph, OpError> {
    let product: Product<T> = read(attributes)?;
    let mut names = vec!["x", "weight"];
    names.extend(product.bias.then_some("bias"));
    names.extend(product.residual.then_some("residual"));
    body::body(name, &names, inputs, |b, values| {
        let (operands, residual) = values.split_at(values.len() - usize::from(product.residual));
        let mut out = b.op(product.op, operands)?;
        if let [residual] = residual {
            out = b.op(Binary::Add, &[out, *residual])?;
        }
        activation::apply(b, product.activation, out)
    })
}

//! The region of a convolution, a norm and an activation.

use serde::{Deserialize, Serialize};

use super::{Activation, KnownRegion, activation, body};
use crate::{
    Graph, OpError, TensorType,
    ops::{Conv, GroupNorm},
};

/// `activation(group_norm(conv(x, weight, bias?), gamma, beta))`. Where x is narrower than gamma and
/// beta, the norm is computed in their dtype and cast back before the activation.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConvNormAct {
    /// The convolution's attributes.
    pub op: Conv,
    /// Whether the convolution's bias is among the inputs, after the weight.
    #[serde(default)]
    pub bias: bool,
    /// The group norm's attributes.
    pub norm: GroupNorm,
    /// The activation.
    #[serde(default)]
    pub activation: Activation,
}

impl KnownRegion for ConvNormAct {
    const KIND: &'static str = "conv_norm_act";
    const SUMMARY: &'static str =
        "convolution, group norm with scale and shift, optional activation";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        let names: &[_] = if self.bias {
            &["x", "weight", "bias", "gamma", "beta"]
        } else {
            &["x", "weight", "gamma", "beta"]
        };
        body::body(Self::KIND, names, inputs, |b, values| {
            let (operands, parameters) = values.split_at(values.len() - 2);
            let convolved = b.op(self.op.clone(), operands)?;
            let normed = body::norm(b, self.norm, convolved, parameters)?;
            activation::apply(b, self.activation, normed)
        })
    }
}

//! A convolution with the norm and the activation that follow it.

use serde::{Deserialize, Serialize};

use super::{Activation, RegionKind, activation, body, read};
use crate::ops::{Conv, GroupNorm};

/// `activation(group_norm(conv(x, weight, bias?), gamma, beta))`. Where x is narrower than gamma and
/// beta, the norm is computed in their dtype and cast back before the activation.
pub(super) const CONV_NORM_ACT: RegionKind = RegionKind {
    name: "conv_norm_act",
    summary: "convolution, group norm with scale and shift, and an activation where there is one",
    expand: |attributes, inputs| {
        let region: ConvNorm = read(attributes)?;
        let names: &[_] = match region.bias {
            true => &["x", "weight", "bias", "gamma", "beta"],
            false => &["x", "weight", "gamma", "beta"],
        };
        body::body("conv_norm_act", names, inputs, |b, values| {
            let (operands, parameters) = values.split_at(values.len() - 2);
            let convolved = b.op(region.op, operands)?;
            let normed = body::norm(b, region.norm, convolved, parameters)?;
            activation::apply(b, region.activation, normed)
        })
    },
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ConvNorm {
    /// The convolution's attributes.
    op: Conv,
    /// Whether the convolution's bias is among the inputs, after the weight.
    #[serde(default)]
    bias: bool,
    /// The group norm's attributes.
    norm: GroupNorm,
    /// The activation.
    #[serde(default)]
    activation: Activation,
}

//! A layer norm with the linear layer that takes its result.

use serde::{Deserialize, Serialize};

use super::{Activation, RegionKind, activation, body, read};
use crate::ops::{LayerNorm, Linear};

/// `activation(linear(layer_norm(x, gamma, beta?), weight, bias?))`. Where x is narrower than gamma,
/// the norm is computed in gamma's dtype and cast back before the product.
pub(super) const LAYER_NORM_LINEAR: RegionKind = RegionKind {
    name: "layer_norm_linear",
    summary: "layer norm, linear layer, and an activation where there is one",
    expand: |attributes, inputs| {
        let region: NormLinear = read(attributes)?;
        let mut names = vec!["x", "gamma"];
        names.extend(region.beta.then_some("beta"));
        let norms = names.len();
        names.push("weight");
        names.extend(region.bias.then_some("bias"));
        body::body("layer_norm_linear", &names, inputs, |b, values| {
            let normed = body::norm(b, region.norm, values[0], &values[1..norms])?;
            let out = b.op(Linear {}, &[&[normed], &values[norms..]].concat())?;
            activation::apply(b, region.activation, out)
        })
    },
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct NormLinear {
    /// The layer norm's attributes.
    norm: LayerNorm,
    /// Whether the norm's shift is among the inputs, after gamma.
    #[serde(default)]
    beta: bool,
    /// Whether the linear layer's bias is among the inputs, the last.
    #[serde(default)]
    bias: bool,
    /// The activation.
    #[serde(default)]
    activation: Activation,
}

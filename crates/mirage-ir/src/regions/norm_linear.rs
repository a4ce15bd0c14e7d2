//! The region of a layer norm, a linear layer and an activation.

use serde::{Deserialize, Serialize};

use super::{Activation, KnownRegion, activation, body};
use crate::{
    Graph, OpError, TensorType,
    ops::{LayerNorm, Linear},
};

/// `activation(linear(layer_norm(x, gamma, beta?), weight, bias?))`. Where x is narrower than gamma,
/// the norm is computed in gamma's dtype and cast back before the product.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LayerNormLinear {
    /// The layer norm's attributes.
    pub norm: LayerNorm,
    /// Whether the norm's shift is among the inputs, after gamma.
    #[serde(default)]
    pub beta: bool,
    /// Whether the linear layer's bias is the last input.
    #[serde(default)]
    pub bias: bool,
    /// The activation.
    #[serde(default)]
    pub activation: Activation,
}

impl KnownRegion for LayerNormLinear {
    const KIND: &'static str = "layer_norm_linear";
    const SUMMARY: &'static str = "layer norm, linear layer, optional activation";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        let mut names = vec!["x", "gamma"];
        names.extend(self.beta.then_some("beta"));
        let norms = names.len();
        names.push("weight");
        names.extend(self.bias.then_some("bias"));
        body::body(Self::KIND, &names, inputs, |b, values| {
            let normed = body::norm(b, self.norm, values[0], &values[1..norms])?;
            let out = b.op(Linear {}, &[&[normed], &values[norms..]].concat())?;
            activation::apply(b, self.activation, out)
        })
    }
}

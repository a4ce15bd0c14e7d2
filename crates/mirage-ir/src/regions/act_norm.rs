//! Regions of an activation and a norm.

use serde::{Deserialize, Serialize};

use super::{Activation, KnownRegion, body};
use crate::{
    Graph, Op, OpError, TensorType,
    ops::{GroupNorm, LayerNorm},
};

/// The attributes of an activation with the norm that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ActNorm<T> {
    /// The activation, which is not `none`.
    pub activation: Activation,
    /// The norm's attributes.
    pub norm: T,
}

/// `group_norm(activation(x), gamma, beta)`. Where x is narrower than gamma and beta, the norm is
/// computed in their dtype and cast back.
pub type ActGroupNorm = ActNorm<GroupNorm>;

/// `layer_norm(activation(x), gamma, beta?)`. Where x is narrower than gamma, the norm is computed in
/// gamma's dtype and cast back.
pub type ActLayerNorm = ActNorm<LayerNorm>;

impl KnownRegion for ActGroupNorm {
    const KIND: &'static str = "act_group_norm";
    const SUMMARY: &'static str = "an activation, then group norm with scale and shift";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        expand(self, &["x", "gamma", "beta"], inputs)
    }
}

impl KnownRegion for ActLayerNorm {
    const KIND: &'static str = "act_layer_norm";
    const SUMMARY: &'static str = "an activation, then layer norm";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        let names: &[_] = match inputs.len() {
            ..=2 => &["x", "gamma"],
            _ => &["x", "gamma", "beta"],
        };
        expand(self, names, inputs)
    }
}

fn expand<T: Clone + Into<Op>>(
    region: &ActNorm<T>,
    names: &[&'static str],
    inputs: &[&TensorType],
) -> Result<Graph, OpError>
where
    ActNorm<T>: KnownRegion,
{
    let Some(f) = region.activation.function() else {
        crate::op_bail!("must have an activation, got none");
    };
    body::body(ActNorm::<T>::KIND, names, inputs, |b, values| {
        let activated = b.op(f, &values[..1])?;
        body::norm(b, region.norm.clone(), activated, &values[1..])
    })
}

//! An activation and the norm of its result in one.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Activation, RegionKind, body, read};
use crate::{
    Attrs, Graph, Op, OpError, TensorType,
    ops::{GroupNorm, LayerNorm},
};

/// `group_norm(activation(x), gamma, beta)`. Where x is narrower than gamma and beta, the norm is
/// computed in their dtype and cast back.
pub(super) const ACT_GROUP_NORM: RegionKind = RegionKind {
    name: "act_group_norm",
    summary: "an activation, then group norm with scale and shift",
    expand: |attributes, inputs| {
        let names = ["x", "gamma", "beta"];
        expand::<GroupNorm>("act_group_norm", &names, attributes, inputs)
    },
};

/// `layer_norm(activation(x), gamma, beta?)`. Where x is narrower than gamma, the norm is computed in
/// gamma's dtype and cast back.
pub(super) const ACT_LAYER_NORM: RegionKind = RegionKind {
    name: "act_layer_norm",
    summary: "an activation, then layer norm",
    expand: |attributes, inputs| {
        let names: &[_] = match inputs.len() {
            ..=2 => &["x", "gamma"],
            _ => &["x", "gamma", "beta"],
        };
        expand::<LayerNorm>("act_layer_norm", names, attributes, inputs)
    },
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ActNorm<T> {
    /// The activation, which is not `none`.
    activation: Activation,
    /// The norm's attributes.
    norm: T,
}

fn expand<T: DeserializeOwned + Into<Op>>(
    kind: &str,
    names: &[&'static str],
    attributes: &Attrs,
    inputs: &[&TensorType],
) -> Result<Graph, OpError> {
    let ActNorm::<T> { activation, norm } = read(attributes)?;
    let Some(f) = activation.function() else {
        crate::op_bail!("must have an activation, got none");
    };
    body::body(kind, names, inputs, |b, values| {
        let activated = b.op(f, &values[..1])?;
        body::norm(b, norm, activated, &values[1..])
    })
}

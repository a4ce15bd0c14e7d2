//! Group norm and SiLU in one.

use super::RegionKind;
use crate::{
    Attrs, Graph, GraphError, OpError, TensorType,
    ops::{GroupNorm, Unary},
};

/// `silu(group_norm(x, gamma, beta))`; attributes `groups` and `eps` as of [`GroupNorm`].
pub(super) const GROUP_NORM_SILU: RegionKind = RegionKind {
    name: "group_norm_silu",
    summary: "group norm with scale and shift, then SiLU",
    expand,
};

fn expand(attributes: &Attrs, inputs: &[&TensorType]) -> Result<Graph, OpError> {
    let norm: GroupNorm = attributes
        .clone()
        .try_into()
        .map_err(|e: toml::de::Error| OpError::new(e.message()))?;
    body(norm, inputs).map_err(|e| OpError::new(e.to_string()))
}

fn body(norm: GroupNorm, inputs: &[&TensorType]) -> Result<Graph, GraphError> {
    let mut b = Graph::builder(GROUP_NORM_SILU.name);
    let names = ["x", "gamma", "beta"];
    let values: Vec<_> = names
        .iter()
        .zip(inputs)
        .map(|(&name, &ty)| b.input(name, ty.clone()))
        .collect();
    let normed = b.op(norm, &values)?;
    let out = b.op(Unary::Silu, &[normed])?;
    b.output("out", out);
    b.finish()
}

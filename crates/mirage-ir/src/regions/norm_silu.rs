//! Group norm and SiLU in one.

use super::{RegionKind, read};
use crate::{
    Attrs, Graph, GraphError, OpError, TensorType,
    ops::{Cast, GroupNorm, Unary},
};

/// `silu(group_norm(x, gamma, beta))`; attributes `groups` and `eps` as of [`GroupNorm`]. Where x is
/// narrower than gamma and beta, the norm is computed in their dtype and cast back before the SiLU.
pub(super) const GROUP_NORM_SILU: RegionKind = RegionKind {
    name: "group_norm_silu",
    summary: "group norm with scale and shift, then SiLU",
    expand,
};

fn expand(attributes: &Attrs, inputs: &[&TensorType]) -> Result<Graph, OpError> {
    let norm: GroupNorm = read(attributes)?;
    crate::op_ensure!(
        inputs.len() == 3,
        "takes x, gamma and beta; got {} inputs",
        inputs.len()
    );
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
    let (narrow, wide) = (inputs[0].dtype, inputs[1].dtype);
    let mut x = values[0];
    if narrow != wide {
        x = b.op(Cast { dtype: wide }, &[x])?;
    }
    let mut normed = b.op(norm, &[x, values[1], values[2]])?;
    if narrow != wide {
        normed = b.op(Cast { dtype: narrow }, &[normed])?;
    }
    let out = b.op(Unary::Silu, &[normed])?;
    b.output("out", out);
    b.finish()
}

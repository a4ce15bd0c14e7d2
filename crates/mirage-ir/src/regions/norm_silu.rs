//! The region of a group norm and SiLU.

use serde::{Deserialize, Serialize};

use super::{KnownRegion, body};
use crate::{
    Graph, OpError, TensorType,
    ops::{GroupNorm, Unary},
};

/// `silu(group_norm(x, gamma, beta))`; the attributes are those of [`GroupNorm`]. Where x is narrower
/// than gamma and beta, the norm is computed in their dtype and cast back before the SiLU.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct GroupNormSilu {
    /// The group norm's attributes.
    pub norm: GroupNorm,
}

impl KnownRegion for GroupNormSilu {
    const KIND: &'static str = "group_norm_silu";
    const SUMMARY: &'static str = "group norm with scale and shift, then SiLU";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        body::body(Self::KIND, &["x", "gamma", "beta"], inputs, |b, values| {
            let normed = body::norm(b, self.norm, values[0], &values[1..])?;
            b.op(Unary::Silu, &[normed])
        })
    }
}

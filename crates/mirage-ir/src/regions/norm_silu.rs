//! Group norm and SiLU in one.

use super::{RegionKind, body, read};
use crate::ops::{GroupNorm, Unary};

/// `silu(group_norm(x, gamma, beta))`; attributes `groups` and `eps` as of [`GroupNorm`]. Where x is
/// narrower than gamma and beta, the norm is computed in their dtype and cast back before the SiLU.
pub(super) const GROUP_NORM_SILU: RegionKind = RegionKind {
    name: "group_norm_silu",
    summary: "group norm with scale and shift, then SiLU",
    expand: |attributes, inputs| {
        let norm: GroupNorm = read(attributes)?;
        let names = ["x", "gamma", "beta"];
        body::body("group_norm_silu", &names, inputs, |b, values| {
            let normed = body::norm(b, norm, values[0], &values[1..])?;
            b.op(Unary::Silu, &[normed])
        })
    },
};

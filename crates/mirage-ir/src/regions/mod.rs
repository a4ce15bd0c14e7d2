//! Known kinds of fused regions and what each stands for.
//!
//! A kind's expansion is a function of its attributes and input types to a graph: the definition
//! that every kernel for the kind must compute. The verifier compares a region's body with it.

mod norm_silu;

use crate::{Attrs, Graph, OpError, TensorType};

/// A known kind of region.
pub struct RegionKind {
    /// Its name.
    pub name: &'static str,
    /// One line on what it computes.
    pub summary: &'static str,
    /// The body for these attributes and input types.
    pub expand: fn(&Attrs, &[&TensorType]) -> Result<Graph, OpError>,
}

/// The known kinds.
pub static KINDS: &[RegionKind] = &[norm_silu::GROUP_NORM_SILU];

/// The kind of this name, if it is known.
pub fn find(name: &str) -> Option<&'static RegionKind> {
    KINDS.iter().find(|k| k.name == name)
}

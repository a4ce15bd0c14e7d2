//! Known kinds of fused regions and what each stands for.
//!
//! A kind's expansion is a function of its attributes and input types to a graph: the definition
//! that every kernel for the kind must compute. The verifier compares a region's body with it.
//!
//! The kind [`ELEMENTWISE`] is not among them: any tree of functions of elements is one, and its
//! body alone defines it.

mod act_norm;
mod activation;
mod add_layer_norm;
mod body;
mod conv_norm;
mod norm_linear;
mod norm_silu;
mod product;

pub use activation::Activation;

use crate::{Attrs, Graph, OpError, TensorType};

/// The kind of region whose body is any tree of functions of elements ([`crate::ops::Unary`],
/// [`crate::ops::Binary`], [`crate::ops::WithScalar`], [`crate::ops::Select`],
/// [`crate::ops::Cast`]) with one result; operands may be broadcast.
pub const ELEMENTWISE: &str = "elementwise";

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
pub static KINDS: &[RegionKind] = &[
    act_norm::ACT_GROUP_NORM,
    act_norm::ACT_LAYER_NORM,
    add_layer_norm::ADD_LAYER_NORM,
    product::CONV_ACT,
    conv_norm::CONV_NORM_ACT,
    norm_silu::GROUP_NORM_SILU,
    norm_linear::LAYER_NORM_LINEAR,
    product::LINEAR_ACT,
];

/// The kind of this name, if it is known.
pub fn find(name: &str) -> Option<&'static RegionKind> {
    KINDS.iter().find(|k| k.name == name)
}

/// The attributes of a region as what its kind understands by them.
fn read<T: serde::de::DeserializeOwned>(attributes: &Attrs) -> Result<T, OpError> {
    attributes
        .clone()
        .try_into()
        .map_err(|e: toml::de::Error| OpError::new(e.message()))
}

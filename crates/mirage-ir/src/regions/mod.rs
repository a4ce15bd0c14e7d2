//! Known kinds of fused regions and their definitions.
//!
//! A kind is a type that implements [`KnownRegion`]: its fields are the region's attributes, and its
//! expansion, a function of attributes and input types to a graph, is the definition that every kernel
//! for the kind must compute. The verifier compares a region's body with it. [`KINDS`] lists the kinds.
//!
//! The kind [`ELEMENTWISE`] is not among them: it is any tree of elementwise operations, and its body alone
//! defines it.

mod act_norm;
mod activation;
mod add_layer_norm;
mod body;
mod conv_norm;
mod kind;
mod norm_linear;
mod norm_silu;
mod product;

pub use act_norm::{ActGroupNorm, ActLayerNorm, ActNorm};
pub use activation::Activation;
pub use add_layer_norm::AddLayerNorm;
pub use conv_norm::ConvNormAct;
pub use kind::{KnownRegion, RegionKind};
pub use norm_linear::LayerNormLinear;
pub use norm_silu::GroupNormSilu;
pub use product::{ConvAct, LinearAct, Product};

use kind::kind;

/// The kind of region whose body is any tree of elementwise operations ([`crate::ops::Unary`],
/// [`crate::ops::Binary`], [`crate::ops::WithScalar`], [`crate::ops::Select`],
/// [`crate::ops::Cast`]) with one result; operands may be broadcast.
pub const ELEMENTWISE: &str = "elementwise";

/// The known kinds.
pub static KINDS: &[RegionKind] = &[
    kind::<ActGroupNorm>(),
    kind::<ActLayerNorm>(),
    kind::<AddLayerNorm>(),
    kind::<ConvAct>(),
    kind::<ConvNormAct>(),
    kind::<GroupNormSilu>(),
    kind::<LayerNormLinear>(),
    kind::<LinearAct>(),
];

/// Returns the known kind of this name.
pub fn find(name: &str) -> Option<&'static RegionKind> {
    KINDS.iter().find(|k| k.name == name)
}

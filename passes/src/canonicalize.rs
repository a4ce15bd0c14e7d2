//! Replaces captured chains of primitive operations by group norm, layer norm, SiLU, GELU and linear, which
//! the other passes match. Merges chains of views and removes views that change nothing.
//!
//! Each kind of pattern has a file in the folder `canonicalize`.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,8,2,2]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f32[1,2,16] = reshape(%0) {shape = [1, 2, 16]}
//!   %4: f32[1,2,1] = reduce_mean(%3) {dims = [2]}
//!   %5: f32[1,2,16] = sub(%3, %4)
//!   %6: f32[1,2,16] = mul(%5, %5)
//!   %7: f32[1,2,1] = reduce_mean(%6) {dims = [2]}
//!   %8: f32[1,2,1] = add_scalar(%7) {value = 1e-5}
//!   %9: f32[1,2,1] = sqrt(%8)
//!   %10: f32[1,2,16] = div(%5, %9)
//!   %11: f32[1,8,2,2] = reshape(%10) {shape = [1, 8, 2, 2]}
//!   %12: f32[1,8,1,1] = reshape(%1) {shape = [1, 8, 1, 1]}
//!   %13: f32[1,8,2,2] = mul(%11, %12)
//!   %14: f32[1,8,1,1] = reshape(%2) {shape = [1, 8, 1, 1]}
//!   %15: f32[1,8,2,2] = add(%13, %14)
//!   %16: f32[1,8,2,2] = sigmoid(%15)
//!   %17: f32[1,8,2,2] = mul(%15, %16)
//!   output "y" = %17
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,8,2,2]
//!   param %1 "gamma": f32[8]
//!   param %2 "beta": f32[8]
//!   %3: f32[1,8,2,2] = group_norm(%0, %1, %2) {eps = 1e-5, groups = 2}
//!   %4: f32[1,8,2,2] = silu(%3)
//!   output "y" = %4
//! }
//! ```

mod activation;
mod linear;
mod norm;
mod views;

use mirage_ir::{Graph, GraphError, Node, NodeId};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase,
    rewrite::{Patch, View, rewrite},
};

/// See the module.
pub(crate) struct Canonicalize;

static INFO: PassInfo = PassInfo {
    always: true,
    ..PassInfo::new(
        "canonicalize",
        3,
        "replaces captured chains by norms, activations and linear layers; merges views",
        Phase::Legalize,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(Canonicalize);

type Rule = fn(&View, NodeId, &Node, &mut Patch) -> Result<(), GraphError>;

/// The patterns and their names in notes, in the order in which they are tried: a pattern comes before
/// those that it contains.
const RULES: &[(&str, Rule)] = &[
    ("views merged", views::merge),
    ("group norms", norm::raise_group_norm),
    (
        "group norms without parameters",
        norm::raise_plain_group_norm,
    ),
    ("layer norms", norm::raise_layer_norm),
    ("SiLUs", activation::raise_silu),
    ("GELUs", activation::raise_gelu),
    ("GELUs in tanh form", activation::raise_gelu_tanh),
    ("linear layers", linear::raise_linear),
    ("biases", linear::absorb_bias),
];

impl Pass for Canonicalize {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let mut total = 0;
        let mut notes = Vec::new();
        for (what, rule) in RULES {
            let count = rewrite(graph, rule)?;
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
            total += count;
        }
        Ok(match total {
            0 => Outcome::unchanged(
                "0 matches: the graph has no chain of operations that forms a norm, an activation or a linear layer, and no views to merge",
            ),
            rewrites => Outcome::Changed {
                rewrites,
                notes: vec![notes.join(", ")],
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        for source in [
            include_str!("canonicalize.rs"),
            include_str!("canonicalize/activation.rs"),
            include_str!("canonicalize/linear.rs"),
            include_str!("canonicalize/norm.rs"),
            include_str!("canonicalize/views.rs"),
        ] {
            crate::example::check(&Canonicalize, source);
        }
    }
}

//! Removes duplicates: of nodes with the same operation on the same operands, the first is kept.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   %1: f32[1,4] = exp(%0)
//!   %2: f32[1,4] = exp(%0)
//!   %3: f32[1,4] = add(%1, %2)
//!   output "y" = %3
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   %1: f32[1,4] = exp(%0)
//!   %2: f32[1,4] = add(%1, %1)
//!   output "y" = %2
//! }
//! ```

use std::collections::HashMap;

use mirage_ir::{
    Graph, Node, ValueId,
    ops::{Extern, Unknown},
};
use mirage_pass::{
    CLEANUP, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, rewrite::Patch,
};

/// See the module.
pub(crate) struct EliminateCommon;

static INFO: PassInfo = PassInfo {
    tags: &[CLEANUP],
    after: &["fold_constants"],
    always: true,
    ..PassInfo::new(
        "eliminate_common",
        1,
        "removes nodes that compute what an earlier node computes",
        Phase::Simplify,
        Numerics::BitIdentical,
    )
};

mirage_pass::register!(EliminateCommon);

impl Pass for EliminateCommon {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let mut patch = Patch::new(graph);
        let mut first: HashMap<(String, Vec<ValueId>), Vec<&Node>> = HashMap::new();
        // Operands after the replacements so far, so that one sweep finds chains of duplicates.
        let mut same: HashMap<ValueId, ValueId> = HashMap::new();
        for node in graph.nodes() {
            if !is_pure(node) {
                continue;
            }
            let operands = node
                .inputs
                .iter()
                .map(|v| *same.get(v).unwrap_or(v))
                .collect();
            let key = (format!("{} {}", node.op.name(), node.op.attrs()), operands);
            let known = first.entry(key).or_default();
            match known.iter().find(|k| k.op == node.op) {
                Some(k) => {
                    for (&old, &new) in node.outputs.iter().zip(&k.outputs) {
                        patch.replace(old, new)?;
                        same.insert(old, new);
                    }
                }
                None => known.push(node),
            }
        }
        if patch.rewrites() == 0 {
            return Ok(Outcome::unchanged(
                "no two nodes have the same operation and operands",
            ));
        }
        let rewrites = patch.rewrites();
        *graph = patch.apply()?;
        Ok(Outcome::changed(rewrites))
    }
}

/// Whether the operation depends on its operands alone. An extern operation may have side effects.
fn is_pure(node: &Node) -> bool {
    !node.op.is::<Extern>() && !node.op.is::<Unknown>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&EliminateCommon, include_str!("eliminate_common.rs"));
    }
}

//! Helpers for rewriting graphs.
//!
//! A pattern is replaced by adding nodes that compute the same values and redirecting users to them; nodes
//! that become unused are removed. [`rewrite`] applies this to patterns rooted at a node, [`View`] answers
//! which node produced a value, and [`Patch`] collects the replacements of a round. A pass that touches
//! every node (dtypes, memory orders) uses [`Rebuild`] instead.

mod patch;
mod rebuild;
mod view;

pub use patch::{At, Patch};
pub use rebuild::Rebuild;
pub use view::View;

use mirage_ir::{Graph, GraphError, Node, NodeId};

/// The maximum number of rounds of [`rewrite`]. A rule that needs more does not reach a fixed point.
const MAX_ROUNDS: usize = 64;

/// Applies a rule at every node, round by round, until a round replaces nothing. Returns the number of
/// replacements.
///
/// The rule sees the graph as it was at the start of the round. It may inspect producers and users through
/// the [`View`], add nodes at the current node and replace the node's outputs. It must not match its own
/// result.
///
/// # Errors
///
/// If the rule fails, or still replaces something after 64 rounds.
pub fn rewrite(
    graph: &mut Graph,
    mut rule: impl FnMut(&View, NodeId, &Node, &mut Patch) -> Result<(), GraphError>,
) -> Result<usize, GraphError> {
    let mut total = 0;
    for _ in 0..MAX_ROUNDS {
        let view = View::new(graph);
        let mut patch = Patch::new(graph);
        for (id, node) in graph.iter() {
            rule(&view, id, node, &mut patch)?;
        }
        if patch.rewrites() == 0 {
            return Ok(total);
        }
        total += patch.rewrites();
        let next = patch.apply()?;
        *graph = next;
    }
    Err(GraphError::Graph {
        graph: graph.name().to_owned(),
        message: format!(
            "the rewriting reached no fixed point in {MAX_ROUNDS} rounds: the rule matches its own result"
        ),
    })
}

//! What passes rewrite graphs with.
//!
//! Graphs are pure, so a pattern is replaced by adding nodes that compute the same and pointing the
//! users at them; what nobody uses any more falls away. [`rewrite`] drives that for patterns rooted
//! at a node, [`View`] asks what produced a value, [`Patch`] collects the replacements of a round.
//! A pass that touches every node (dtypes, memory orders) uses [`Rebuild`] instead.

mod patch;
mod rebuild;
mod view;

pub use patch::{At, Patch};
pub use rebuild::Rebuild;
pub use view::View;

use mirage_ir::{Graph, GraphError, Node, NodeId};

/// The most rounds that [`rewrite`] makes. A set of rules that needs more does not settle.
const MAX_ROUNDS: usize = 64;

/// Applies a rule at every node, round by round, until a round replaces nothing. Gives the number of
/// replacements.
///
/// The rule sees the graph as it was at the round's start; it may look at producers and users
/// through the [`View`], add nodes at the current node and replace the node's outputs. It must not
/// fire on its own result.
///
/// # Errors
///
/// What the rule gives, and a rule that does not settle within 64 rounds.
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
        message: format!("the rewriting did not settle in {MAX_ROUNDS} rounds"),
    })
}

//! Trees of elementwise operations.
//!
//! A tree grows from its root through operands that have no other use. A broadcast operand is not part of
//! the tree, so that nothing is computed more often than before.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4,2,2]
//!   input %1 "shift": f32[1,4,1,1]
//!   %2: f32[1,4,1,1] = exp(%1)
//!   %3: f32[1,4,2,2] = add(%0, %2)
//!   %4: f32[1,4,2,2] = silu(%3)
//!   %5: f32[1,4,2,2] = mul(%4, %0)
//!   %6: f32[1,4,1,1] = reduce_sum(%5) {dims = [2, 3]}
//!   output "y" = %6
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4,2,2]
//!   input %1 "shift": f32[1,4,1,1]
//!   %2: f32[1,4,1,1] = exp(%1)
//!   %3: f32[1,4,2,2] = region(%0, %2) {kind = "elementwise"} graph "elementwise" {
//!     input %0 "x0": f32[1,4,2,2]
//!     input %1 "x1": f32[1,4,1,1]
//!     %2: f32[1,4,2,2] = add(%0, %1)
//!     %3: f32[1,4,2,2] = silu(%2)
//!     %4: f32[1,4,2,2] = mul(%3, %0)
//!     output "out" = %4
//!   }
//!   %4: f32[1,4,1,1] = reduce_sum(%3) {dims = [2, 3]}
//!   output "y" = %4
//! }
//! ```

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use mirage_ir::{
    Attrs, Graph, GraphError, NodeId, Op, ValueId,
    ops::{Binary, Cast, Region, Select, Unary, WithScalar},
    regions::ELEMENTWISE,
};
use mirage_pass::rewrite::{Patch, View};

use super::Fusing;

fn is_elementwise(op: &Op) -> bool {
    op.is::<Unary>()
        || op.is::<Binary>()
        || op.is::<WithScalar>()
        || op.is::<Select>()
        || op.is::<Cast>()
}

/// Forms every tree of at least two nodes.
pub(super) fn trees(fusing: &Fusing, view: &View, patch: &mut Patch) -> Result<usize, GraphError> {
    let mut formed = 0;
    for (root, members) in partition(fusing, view) {
        if members.len() < 2 {
            continue;
        }
        let (body, operands) = body(view, &members)?;
        let region = Region::new(ELEMENTWISE, Attrs::new(), Arc::new(body));
        let mut at = patch.at(root);
        let result = at.op(region, &operands)?;
        at.replace(view.graph().node(root).output(), result)?;
        formed += 1;
    }
    Ok(formed)
}

/// Assigns every elementwise operation to a tree, by root. A node joins the tree of its only user while
/// the tree is below the maximum size; otherwise it is a root.
fn partition(fusing: &Fusing, view: &View) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
    let most = fusing.options.max_body;
    let mut trees: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
    let mut root_of: HashMap<NodeId, NodeId> = HashMap::new();
    for (id, node) in view.graph().iter().rev() {
        let out = node.output();
        let is_member = fusing.live[id.index()]
            && is_elementwise(&node.op)
            && fusing.wants(view.ty(out))
            && !fusing.prologue.is_fixed(out);
        if !is_member {
            continue;
        }
        let joined = taker(fusing, view, out)
            .and_then(|taker| root_of.get(&taker))
            .filter(|root| trees[root].len() < most);
        let root = joined.copied().unwrap_or(id);
        root_of.insert(id, root);
        trees.entry(root).or_default().insert(id);
    }
    trees
}

/// Returns the only user of the value, if the value may be computed inside the user's tree.
fn taker(fusing: &Fusing, view: &View, value: ValueId) -> Option<NodeId> {
    let [taker] = view.uses().users(value) else {
        return None;
    };
    let out = view.graph().node(*taker).output();
    let same = view.ty(value).shape == view.ty(out).shape;
    (fusing.is_interior(view, value) && same).then_some(*taker)
}

/// Returns the members as a graph, and its operands in the outer graph.
fn body(view: &View, members: &BTreeSet<NodeId>) -> Result<(Graph, Vec<ValueId>), GraphError> {
    let graph = view.graph();
    let mut b = Graph::builder(ELEMENTWISE);
    let mut operands = Vec::new();
    let mut map: HashMap<ValueId, ValueId> = HashMap::new();
    let inside: BTreeSet<ValueId> = members.iter().map(|&id| graph.node(id).output()).collect();
    for &id in members {
        for &v in graph.node(id).inputs.iter().filter(|v| !inside.contains(v)) {
            map.entry(v).or_insert_with(|| {
                operands.push(v);
                b.input(format!("x{}", operands.len() - 1), graph.ty(v).clone())
            });
        }
    }
    let mut last = None;
    for &id in members {
        let node = graph.node(id);
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v]).collect();
        let out = b.op(node.op.clone(), &inputs)?;
        map.insert(node.output(), out);
        last = Some(out);
    }
    if let Some(out) = last {
        b.output("out", out);
    }
    Ok((b.finish()?, operands))
}

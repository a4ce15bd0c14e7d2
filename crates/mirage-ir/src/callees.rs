//! Programs: a graph and the bodies that it calls.

use std::{collections::HashSet, sync::Arc};

use crate::{Graph, TensorType, ops::Call};

impl Graph {
    /// Returns the distinct bodies that this graph calls directly or indirectly, each after those that it
    /// calls itself. Equal bodies are returned once, even if they are different `Arc`s.
    pub fn callees(&self) -> Vec<&Arc<Graph>> {
        let mut distinct: Vec<&Arc<Graph>> = Vec::new();
        for body in by_identity(self) {
            if !distinct.contains(&body) {
                distinct.push(body);
            }
        }
        distinct
    }

    /// Returns the parameters of the graph, then those of its [`callees`](Self::callees), each name once.
    pub fn all_params(&self) -> Vec<(&str, &TensorType)> {
        let mut seen = HashSet::new();
        let graphs = std::iter::once(self).chain(by_identity(self).into_iter().map(|b| &**b));
        graphs
            .flat_map(own_params)
            .filter(|(name, _)| seen.insert(*name))
            .collect()
    }

    /// Replaces called bodies: calls `becomes` once for each body that the graph calls directly and uses the
    /// body that it returns, if any. The new body must have the inputs and outputs of the old one.
    pub fn redirect_calls(&mut self, becomes: impl Fn(&Arc<Graph>) -> Option<Arc<Graph>>) {
        for node in &mut self.nodes {
            if node.op.is::<Call>()
                && let Some(body) = node.op.body().and_then(&becomes)
            {
                node.op = Call::new(body).into();
            }
        }
    }
}

/// Returns names and types of the parameters that a graph itself declares.
pub(crate) fn own_params(graph: &Graph) -> impl Iterator<Item = (&str, &TensorType)> {
    graph.params().iter().map(|p| (&*p.name, graph.ty(p.value)))
}

/// Returns the bodies that a graph calls, each `Arc` once and after those that it calls itself.
pub(crate) fn by_identity(graph: &Graph) -> Vec<&Arc<Graph>> {
    fn visit<'g>(
        graph: &'g Graph,
        seen: &mut HashSet<*const Graph>,
        found: &mut Vec<&'g Arc<Graph>>,
    ) {
        for body in graph.nodes().iter().filter_map(|n| callee(&n.op)) {
            if seen.insert(Arc::as_ptr(body)) {
                visit(body, seen, found);
                found.push(body);
            }
        }
    }
    let mut found = Vec::new();
    visit(graph, &mut HashSet::new(), &mut found);
    found
}

/// Returns the body of a call.
pub(crate) fn callee(op: &crate::Op) -> Option<&Arc<Graph>> {
    op.body().filter(|_| op.is::<Call>())
}

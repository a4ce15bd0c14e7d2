//! Values that are views of others and need no memory of their own.

use std::collections::HashMap;

use mirage_ir::{DType, Graph, Node, NodeId, TensorType, ValueId, ops::Permute};

use super::HostKernels;
use crate::{Engine, Prepared, context::widened};

/// Values that are views of others.
pub(super) struct Aliases {
    /// For each value, the value that owns its memory; itself if it is not a view.
    pub(super) root: Vec<ValueId>,
    /// For each value, its strides if they are not those of its type.
    pub(super) strides: HashMap<ValueId, [usize; 4]>,
}

impl Aliases {
    pub(super) fn of<E: Engine>(
        prepared: &Prepared<E>,
        kernels: &dyn HostKernels<E::Tensor>,
    ) -> Self {
        let graph = prepared.graph();
        let wanted = wanted_as_views(prepared, kernels);
        let mut aliases = Aliases {
            root: (0..graph.values().len()).map(ValueId::from_index).collect(),
            strides: HashMap::new(),
        };
        for (_, node) in prepared.nodes() {
            let [x, ..] = node.inputs[..] else { continue };
            let out = node.output();
            let same_bytes = node
                .op
                .is_view(&graph.input_types(node), &graph.output_types(node));
            if same_bytes && !aliases.strides.contains_key(&x) {
                aliases.root[out.index()] = aliases.root[x.index()];
            } else if let Some(permute) = node.op.get::<Permute>().filter(|_| wanted[out.index()]) {
                let strides = aliases.permuted(graph, x, out, permute);
                aliases.strides.insert(out, strides);
                aliases.root[out.index()] = aliases.root[x.index()];
            }
        }
        aliases
    }

    /// Returns the strides of a permute's result in its physical dimensions.
    fn permuted(&self, graph: &Graph, x: ValueId, out: ValueId, permute: &Permute) -> [usize; 4] {
        let (from, to) = (graph.ty(x), graph.ty(out));
        let physical = self.strides.get(&x);
        let place = from.order.inverse();
        let own = from.strides();
        let stride = |dim: usize| physical.map_or(own[dim], |s| s[place[dim]]);
        let mut strides = [0; 4];
        for (stride_of, d) in strides.iter_mut().zip(to.order.dims()) {
            *stride_of = stride(permute.axes[d]);
        }
        strides
    }

    /// Whether a node's result is a view.
    pub(super) fn is_view(&self, node: &Node) -> bool {
        let out = node.output();
        self.root[out.index()] != out
    }

    /// For each value that owns memory, the last step that reads it or a view of it.
    pub(super) fn last_uses<E: Engine>(&self, prepared: &Prepared<E>) -> Vec<usize> {
        let graph = prepared.graph();
        let mut last = vec![0; graph.values().len()];
        let mut step = 0;
        for (_, node) in prepared.nodes().filter(|(_, n)| !self.is_view(n)) {
            for v in &node.inputs {
                last[self.root[v.index()].index()] = step;
            }
            step += 1;
        }
        for v in graph.results() {
            last[self.root[v.index()].index()] = step;
        }
        last
    }
}

/// For each value, whether all its users accept floats with any strides.
fn wanted_as_views<E: Engine>(
    prepared: &Prepared<E>,
    kernels: &dyn HostKernels<E::Tensor>,
) -> Vec<bool> {
    let graph = prepared.graph();
    let mut wanted = vec![false; graph.values().len()];
    let nodes: Vec<(NodeId, &Node)> = prepared.nodes().collect();
    for (_, node) in nodes.into_iter().rev() {
        let Some(_) = node.op.get::<Permute>() else {
            continue;
        };
        let out = node.output();
        let takes_any = |user: &NodeId| {
            let user = graph.node(*user);
            let types: Vec<TensorType> = graph.input_types(user).into_iter().map(widened).collect();
            let types: Vec<&TensorType> = types.iter().collect();
            kernels.takes_strides(user, &types)
                || user.op.is::<Permute>() && wanted[user.output().index()]
        };
        let ty = graph.ty(out);
        wanted[out.index()] = widened(ty).dtype == DType::F32
            && ty.rank() <= 4
            && !prepared.leaves(out)
            && prepared.users(out).iter().all(takes_any);
    }
    wanted
}

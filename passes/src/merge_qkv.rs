//! Merges linear layers on the same input into one: their weights are concatenated and their results are
//! slices of its result. Applies to queries, keys and values, to keys and values of a cross attention, and
//! to projections of a timestep's embedding.
//!
//! Merging n layers reads the input once instead of n times. A slice of the last dimension is not
//! contiguous in memory, so it costs a copy, unless there is one row. A layer is merged if that moves no
//! more bytes in all: if its result is at most half as wide as the input, or if there is one row. The
//! option `force` merges all. The merged weights are nodes on parameters, computed once at compile.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "context": f32[1,4,16]
//!   param %1 "wk": f32[16,4]
//!   param %2 "wv": f32[16,2]
//!   param %3 "bv": f32[2]
//!   %4: f32[1,4,4] = linear(%0, %1)
//!   %5: f32[1,4,2] = linear(%0, %2, %3)
//!   output "k" = %4
//!   output "v" = %5
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "context": f32[1,4,16]
//!   param %1 "wk": f32[16,4]
//!   param %2 "wv": f32[16,2]
//!   param %3 "bv": f32[2]
//!   %4: f32[4] = full() {ty = "f32[4]", value = 0.0}
//!   %5: f32[16,6] = concat(%1, %2) {dim = 1}
//!   %6: f32[6] = concat(%4, %3) {dim = 0}
//!   %7: f32[1,4,6] = linear(%0, %5, %6)
//!   %8: f32[1,4,4] = slice(%7) {end = [1, 4, 4], start = [0, 0, 0], step = [1, 1, 1]}
//!   %9: f32[1,4,2] = slice(%7) {end = [1, 4, 6], start = [0, 0, 4], step = [1, 1, 1]}
//!   output "k" = %8
//!   output "v" = %9
//! }
//! ```

use std::collections::{BTreeMap, HashMap};

use mirage_ir::{
    Graph, GraphError, NodeId, Scalar, TensorType, ValueId,
    analysis::Prologue,
    ops::{Concat, Full, Linear, Slice},
};
use mirage_pass::{
    Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase, TypedOptions, rewrite::Patch,
};

/// See the module.
pub(crate) struct MergeQkv;

mirage_pass::options! {
    /// The options of `merge_qkv`.
    struct Options {
        /// merge at least this many layers
        min: usize = 2 in 2..=64;
        /// also merge layers where copying the slices moves more bytes than reading the input once saves
        force: bool = false;
    }
}

static INFO: PassInfo = PassInfo {
    tags: &["attention"],
    options: Options::SPECS,
    // Whether a copy costs more than a read depends on the machine.
    worth_trying: &[("force", "true")],
    ..PassInfo::new(
        "merge_qkv",
        1,
        "merges linear layers on the same input into one",
        Phase::Simplify,
        Numerics::Reassociates,
    )
};

mirage_pass::register!(MergeQkv);

impl Pass for MergeQkv {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let Options { min, force } = Options::read(cx.options)?;
        let (mut patch, mut lines) = (Patch::new(graph), Vec::new());
        let mut merged = 0;
        for group in siblings(graph).into_values().filter(|g| g.len() > 1) {
            let chosen = if force {
                group.clone()
            } else {
                gainful(graph, &group)
            };
            let moved = Moved::of(graph, if chosen.len() > 1 { &chosen } else { &group });
            let place = format!("{} layers at `{}`", group.len(), graph.node(group[0]).path);
            if chosen.len() >= min {
                merge(graph, &mut patch, &chosen)?;
                merged += chosen.len();
                lines.push(format!("{place}: {} merged, {moved}", chosen.len()));
            } else if group.len() < min {
                lines.push(format!(
                    "{place} not merged: fewer than the option `min` ({min})"
                ));
            } else {
                lines.push(format!(
                    "{place} not merged: {moved} (the option `force` merges them)"
                ));
            }
        }
        Ok(match merged {
            0 if lines.is_empty() => Outcome::unchanged(
                "0 matches: the graph has no two linear layers with fixed weights on the same input",
            ),
            0 => Outcome::Unchanged { reasons: lines },
            rewrites => {
                let next = patch.apply()?;
                *graph = next;
                Outcome::Changed {
                    rewrites,
                    notes: lines,
                }
            }
        })
    }
}

/// Returns the linear layers with fixed weights for each input, in topological order.
fn siblings(graph: &Graph) -> BTreeMap<ValueId, Vec<NodeId>> {
    let prologue = Prologue::of(graph);
    let mut siblings: BTreeMap<ValueId, Vec<NodeId>> = BTreeMap::new();
    for (id, node) in graph.iter().filter(|(_, n)| n.op.is::<Linear>()) {
        let (x, weights) = (node.inputs[0], &node.inputs[1..]);
        if !prologue.is_fixed(x) && weights.iter().all(|&w| prologue.is_fixed(w)) {
            siblings.entry(x).or_default().push(id);
        }
    }
    siblings
}

/// Returns the layers whose merging moves no more bytes; none if the sum does not make up for the first
/// one, which reads the input in any case.
fn gainful(graph: &Graph, group: &[NodeId]) -> Vec<NodeId> {
    let gains = |id: &NodeId| {
        let alone = Moved::of(graph, &[*id]);
        alone.copied <= alone.input
    };
    let chosen: Vec<NodeId> = group.iter().copied().filter(gains).collect();
    let moved = Moved::of(graph, &chosen);
    if moved.copied <= moved.saved() {
        chosen
    } else {
        Vec::new()
    }
}

/// How merging layers on one input changes the bytes that are moved.
struct Moved {
    layers: u64,
    /// Bytes of the input.
    input: u64,
    /// Bytes that the slices read and write.
    copied: u64,
}

impl Moved {
    fn of(graph: &Graph, group: &[NodeId]) -> Self {
        let bytes = |ty: &TensorType| ty.bytes() as u64;
        let x = group.first().map(|&id| graph.ty(graph.node(id).inputs[0]));
        let has_rows = x.is_some_and(|x| x.shape[..x.rank() - 1].iter().any(|&d| d != 1));
        let results = group
            .iter()
            .map(|&id| bytes(graph.ty(graph.node(id).output())));
        Moved {
            layers: group.len() as u64,
            input: x.map_or(0, bytes),
            copied: if has_rows {
                2 * results.sum::<u64>()
            } else {
                0
            },
        }
    }

    fn saved(&self) -> u64 {
        self.layers.saturating_sub(1) * self.input
    }
}

impl std::fmt::Display for Moved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "reading the input once saves {} bytes, slicing the result copies {}",
            self.saved(),
            self.copied
        )
    }
}

fn merge(graph: &Graph, patch: &mut Patch, group: &[NodeId]) -> Result<(), GraphError> {
    let mut early = Early {
        graph,
        anchor: group[0],
        copies: HashMap::new(),
    };
    let first = graph.node(group[0]);
    let has_bias = group.iter().any(|&id| graph.node(id).inputs.len() == 3);
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for &id in group {
        let node = graph.node(id);
        weights.push(early.value(patch, node.inputs[1])?);
        let bias = match node.inputs.get(2) {
            Some(&bias) => Some(early.value(patch, bias)?),
            None if has_bias => {
                let zeros = Full {
                    ty: TensorType::new(
                        graph.ty(node.inputs[1]).dtype,
                        [graph.ty(node.inputs[1]).shape[1]],
                    ),
                    value: Scalar::Float(0.0),
                };
                Some(patch.at(group[0]).op(zeros, &[])?)
            }
            None => None,
        };
        biases.extend(bias);
    }
    let mut at = patch.at(group[0]);
    let mut operands = vec![first.inputs[0], at.op(Concat { dim: 1 }, &weights)?];
    if has_bias {
        operands.push(at.op(Concat { dim: 0 }, &biases)?);
    }
    let merged = at.op(Linear {}, &operands)?;
    let mut end = 0;
    for &id in group {
        let out = graph.node(id).output();
        let shape = &graph.ty(out).shape;
        let last = shape.len() - 1;
        let mut slice = Slice {
            start: vec![0; shape.len()],
            end: shape.clone(),
            step: vec![1; shape.len()],
        };
        slice.start[last] = end;
        end += shape[last];
        slice.end[last] = end;
        let mut at = patch.at(id);
        let part = at.op(slice, &[merged])?;
        at.replace(out, part)?;
    }
    Ok(())
}

/// Makes fixed values available before a node; recomputes those that are defined after it.
struct Early<'g> {
    graph: &'g Graph,
    anchor: NodeId,
    copies: HashMap<ValueId, ValueId>,
}

impl Early<'_> {
    fn value(&mut self, patch: &mut Patch, value: ValueId) -> Result<ValueId, GraphError> {
        let Some((_, node)) = self
            .graph
            .producer(value)
            .filter(|(id, _)| *id > self.anchor)
        else {
            return Ok(value);
        };
        if let Some(&copy) = self.copies.get(&value) {
            return Ok(copy);
        }
        let inputs = node
            .inputs
            .iter()
            .map(|&v| self.value(patch, v))
            .collect::<Result<Vec<_>, _>>()?;
        let outputs = patch.at(self.anchor).push(node.op.clone(), &inputs)?;
        self.copies
            .extend(node.outputs.iter().copied().zip(outputs));
        Ok(self.copies.get(&value).copied().unwrap_or(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&MergeQkv, include_str!("merge_qkv.rs"));
    }
}

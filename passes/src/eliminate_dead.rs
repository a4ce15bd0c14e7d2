//! Removes nodes that no output or state depends on, and parameters that no node uses.
//!
//! ```mirage before
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   param %1 "w": f32[1,4]
//!   %2: f32[1,4] = mul(%0, %1)
//!   %3: f32[1,4] = exp(%0)
//!   output "y" = %3
//! }
//! ```
//! ```mirage after
//! graph "example" {
//!   input %0 "x": f32[1,4]
//!   %1: f32[1,4] = exp(%0)
//!   output "y" = %1
//! }
//! ```

use std::collections::HashMap;

use mirage_ir::{Graph, GraphBuilder, GraphError, ValueId, analysis::live_nodes};
use mirage_pass::{CLEANUP, Numerics, Outcome, Pass, PassContext, PassError, PassInfo, Phase};

/// See the module.
pub(crate) struct EliminateDead;

static INFO: PassInfo = PassInfo {
    tags: &[CLEANUP],
    after: &["fold_constants", "eliminate_common"],
    always: true,
    ..PassInfo::new(
        "eliminate_dead",
        1,
        "removes nodes that no output or state depends on, and unused parameters",
        Phase::Simplify,
        Numerics::BitIdentical,
    )
};

mirage_pass::register!(EliminateDead);

impl Pass for EliminateDead {
    fn info(&self) -> &'static PassInfo {
        &INFO
    }

    fn run(&self, graph: &mut Graph, _cx: &PassContext<'_>) -> Result<Outcome, PassError> {
        let live = live_nodes(graph);
        let params = taken_params(graph, &live);
        let dead_nodes = live.iter().filter(|l| !**l).count();
        let dead_params = params.iter().filter(|t| !**t).count();
        if dead_nodes + dead_params == 0 {
            return Ok(Outcome::unchanged("every node and parameter is used"));
        }
        *graph = without_dead(graph, &live, &params)?;
        Ok(Outcome::changed(dead_nodes + dead_params))
    }
}

/// Returns for each parameter whether a live node uses it, or it is itself an output.
fn taken_params(graph: &Graph, live: &[bool]) -> Vec<bool> {
    let mut taken = vec![false; graph.values().len()];
    for (id, node) in graph.iter() {
        if live[id.index()] {
            node.inputs.iter().for_each(|v| taken[v.index()] = true);
        }
    }
    graph.results().for_each(|v| taken[v.index()] = true);
    graph
        .params()
        .iter()
        .map(|p| taken[p.value.index()])
        .collect()
}

fn without_dead(graph: &Graph, live: &[bool], params: &[bool]) -> Result<Graph, GraphError> {
    let mut b = GraphBuilder::new(graph.name());
    b.set_attrs(graph.attrs().clone());
    let mut map: HashMap<ValueId, ValueId> = HashMap::new();
    for port in graph.inputs() {
        map.insert(
            port.value,
            b.input(port.name.clone(), graph.ty(port.value).clone()),
        );
    }
    for (port, _) in graph
        .params()
        .iter()
        .zip(params)
        .filter(|(_, taken)| **taken)
    {
        map.insert(
            port.value,
            b.param(port.name.clone(), graph.ty(port.value).clone()),
        );
    }
    for state in graph.states() {
        map.insert(
            state.input,
            b.state(state.name.clone(), graph.ty(state.input).clone()),
        );
    }
    for (_, node) in graph.iter().filter(|(id, _)| live[id.index()]) {
        b.set_path(node.path.clone());
        let inputs: Vec<ValueId> = node.inputs.iter().map(|v| map[v]).collect();
        let outputs = b.push_typed(node.op.clone(), &inputs, graph.output_types(node));
        map.extend(node.outputs.iter().copied().zip(outputs));
    }
    for port in graph.outputs() {
        b.output(port.name.clone(), map[&port.value]);
    }
    for state in graph.states() {
        b.set_state(map[&state.input], map[&state.output])?;
    }
    Ok(b.finish_unverified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples() {
        crate::example::check(&EliminateDead, include_str!("eliminate_dead.rs"));
    }
}

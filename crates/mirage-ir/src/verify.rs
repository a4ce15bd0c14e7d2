//! The verifier: what every graph must satisfy, before and after every pass.

use std::collections::HashSet;

use crate::{
    Graph, GraphError, Node, OpError, Source, TensorType, ValueId,
    ops::Region,
    regions,
    text::{PrintOptions, print_with},
};

/// Checks a graph:
///
/// 1. every operand exists and is defined before its use, and every value is defined once, where
///    its [`Source`] says;
/// 2. every node's output types are what its operation infers from its inputs;
/// 3. names are unique among inputs, parameters, states and outputs, each among themselves;
/// 4. a state's new content has the state's type;
/// 5. bodies satisfy all this too, and the body of a known kind of region equals the kind's
///    expansion.
///
/// The error names the first node that is wrong, with its operation and module path.
pub fn verify(graph: &Graph) -> Result<(), GraphError> {
    let mut defined = vec![false; graph.values.len()];
    ports(graph, &mut defined)?;
    for (i, node) in graph.nodes.iter().enumerate() {
        check_node(graph, i, node, &mut defined).map_err(|e| node_error(graph, i, node, e))?;
    }
    if let Some(v) = defined.iter().position(|d| !d) {
        return Err(error(graph, format!("value %{v} is never defined")));
    }
    results(graph, &defined)
}

fn error(graph: &Graph, message: String) -> GraphError {
    GraphError::Graph { graph: graph.name.clone(), message }
}

fn node_error(graph: &Graph, index: usize, node: &Node, e: OpError) -> GraphError {
    GraphError::Node {
        graph: graph.name.clone(),
        node: index,
        op: node.op.name().into_owned(),
        path: node.path.to_string(),
        message: e.to_string(),
    }
}

fn ports(graph: &Graph, defined: &mut [bool]) -> Result<(), GraphError> {
    let inputs = graph.inputs.iter().enumerate().map(|(i, p)| ("input", &p.name, p.value, Source::Input(i)));
    let params = graph.params.iter().enumerate().map(|(i, p)| ("parameter", &p.name, p.value, Source::Param(i)));
    let states = graph.states.iter().enumerate().map(|(i, s)| ("state", &s.name, s.input, Source::State(i)));
    let mut names = HashSet::new();
    for (kind, name, value, source) in inputs.chain(params).chain(states) {
        if !names.insert((kind, name.clone())) {
            return Err(error(graph, format!("two {kind}s are called `{name}`")));
        }
        match graph.values.get(value.index()) {
            Some(v) if v.source == source && !defined[value.index()] => defined[value.index()] = true,
            _ => return Err(error(graph, format!("{kind} `{name}` is not the source of {value}"))),
        }
    }
    Ok(())
}

fn check_node(
    graph: &Graph,
    index: usize,
    node: &Node,
    defined: &mut [bool],
) -> Result<(), OpError> {
    for v in &node.inputs {
        crate::op_ensure!(
            defined.get(v.index()) == Some(&true),
            "operand {v} is not defined before its use"
        );
    }
    let types = graph.input_types(node);
    check_body(node, &types)?;
    let inferred = node.op.infer(&types)?;
    crate::op_ensure!(
        inferred.len() == node.outputs.len(),
        "has {} outputs, must have {}",
        node.outputs.len(),
        inferred.len()
    );
    for (i, (&v, ty)) in node.outputs.iter().zip(&inferred).enumerate() {
        let Some(value) = graph.values.get(v.index()) else {
            crate::op_bail!("output {v} does not exist")
        };
        let source = Source::Node { node: crate::NodeId::from_index(index), output: i };
        crate::op_ensure!(
            value.source == source && !std::mem::replace(&mut defined[v.index()], true),
            "output {v} is defined elsewhere too"
        );
        crate::op_ensure!(value.ty == *ty, "output {v} is {}, must be {ty}", value.ty);
    }
    Ok(())
}

fn check_body(node: &Node, inputs: &[&TensorType]) -> Result<(), OpError> {
    let Some(body) = node.op.body() else { return Ok(()) };
    verify(body).map_err(|e| OpError::new(format!("in the body: {e}")))?;
    let Some(region) = node.op.get::<Region>() else { return Ok(()) };
    let Some(kind) = regions::find(&region.kind) else { return Ok(()) };
    let expansion = (kind.expand)(&region.attributes, inputs)?;
    crate::op_ensure!(
        same_computation(body, &expansion),
        "the body is not what a region of kind `{}` computes",
        region.kind
    );
    Ok(())
}

/// Whether two graphs are the same up to names, module paths and attributes of the whole graph.
fn same_computation(a: &Graph, b: &Graph) -> bool {
    let options = PrintOptions { paths: false, names: false };
    print_with(a, options) == print_with(b, options)
}

fn results(graph: &Graph, defined: &[bool]) -> Result<(), GraphError> {
    let exists = |v: ValueId| defined.get(v.index()) == Some(&true);
    let mut names = HashSet::new();
    for port in &graph.outputs {
        if !names.insert(&port.name) {
            return Err(error(graph, format!("two outputs are called `{}`", port.name)));
        }
        if !exists(port.value) {
            return Err(error(graph, format!("output `{}` is {}, which does not exist", port.name, port.value)));
        }
    }
    for state in &graph.states {
        if !exists(state.output) {
            let message = format!("state `{}` becomes {}, which does not exist", state.name, state.output);
            return Err(error(graph, message));
        }
        let (is, becomes) = (graph.ty(state.input), graph.ty(state.output));
        if !is.same_memory(becomes) {
            return Err(error(graph, format!("state `{}` is {is} but becomes {becomes}", state.name)));
        }
    }
    Ok(())
}

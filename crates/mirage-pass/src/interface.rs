//! The interface of a graph, which a pass must not change: inputs, outputs, states, parameters.

use mirage_ir::{Graph, Port, State, TensorType};

/// Checks that `after` can replace `before`: inputs, outputs and states have the same names, positions and
/// types, and every parameter is also one of `before` or of a body that it calls. Parameters may be
/// dropped. The error names the port and both types.
pub fn check_interface(before: &Graph, after: &Graph) -> Result<(), String> {
    let ports =
        |graph: &Graph, ports: &[Port]| types(graph, ports.iter().map(|p| (&p.name, p.value)));
    let states =
        |graph: &Graph, states: &[State]| types(graph, states.iter().map(|s| (&s.name, s.input)));
    same(
        "input",
        &ports(before, before.inputs()),
        &ports(after, after.inputs()),
    )?;
    same(
        "output",
        &ports(before, before.outputs()),
        &ports(after, after.outputs()),
    )?;
    same(
        "state",
        &states(before, before.states()),
        &states(after, after.states()),
    )?;
    subset(&before.all_params(), &after.all_params())
}

type Named = (String, TensorType);

fn types<'a>(
    graph: &Graph,
    ports: impl Iterator<Item = (&'a std::sync::Arc<str>, mirage_ir::ValueId)>,
) -> Vec<Named> {
    ports
        .map(|(name, value)| (name.to_string(), graph.ty(value).clone()))
        .collect()
}

fn same(kind: &str, before: &[Named], after: &[Named]) -> Result<(), String> {
    for (i, (name, was)) in before.iter().enumerate() {
        match after.get(i) {
            None => return Err(format!("{kind} `{name}` ({was}) was removed")),
            Some((other, _)) if other != name => {
                return Err(format!(
                    "{kind} {i} was `{name}` ({was}) and is now `{other}`"
                ));
            }
            Some((_, is)) if is != was => {
                return Err(format!("{kind} `{name}` was {was} and is now {is}"));
            }
            Some(_) => {}
        }
    }
    match after.get(before.len()) {
        Some((name, is)) => Err(format!("{kind} `{name}` ({is}) was added")),
        None => Ok(()),
    }
}

fn subset(before: &[(&str, &TensorType)], after: &[(&str, &TensorType)]) -> Result<(), String> {
    for (name, is) in after {
        match before.iter().find(|(other, _)| other == name) {
            None => return Err(format!("parameter `{name}` ({is}) was added")),
            Some((_, was)) if was != is => {
                return Err(format!(
                    "parameter `{name}` was {was} and is now {is}: keep its type and convert it by a node"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

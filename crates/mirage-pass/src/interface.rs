//! A graph's interface: what a pass must leave as it is for the graph to take another's place.

use mirage_ir::{Graph, Port, State, TensorType};

/// Checks that `after` can take the place of `before`: the same inputs, outputs and states by name,
/// position and type, and no parameter that `before` and the bodies that it calls have not.
/// Parameters may be dropped, and are changed through the prologue only. The error names the port and both types.
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
            None => return Err(format!("{kind} `{name}` ({was}) is gone")),
            Some((other, _)) if other != name => {
                return Err(format!("{kind} {i} was `{name}` ({was}), is `{other}`"));
            }
            Some((_, is)) if is != was => {
                return Err(format!("{kind} `{name}` was {was}, is {is}"));
            }
            Some(_) => {}
        }
    }
    match after.get(before.len()) {
        Some((name, is)) => Err(format!("{kind} `{name}` ({is}) is new")),
        None => Ok(()),
    }
}

fn subset(before: &[(&str, &TensorType)], after: &[(&str, &TensorType)]) -> Result<(), String> {
    for (name, is) in after {
        match before.iter().find(|(other, _)| other == name) {
            None => return Err(format!("parameter `{name}` ({is}) is new")),
            Some((_, was)) if was != is => {
                return Err(format!(
                    "parameter `{name}` was {was}, is {is}: convert it by a node"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

//! Module paths of operations, inferred from the parameters that they read.
//!
//! [`Captured`](crate::Captured) documents the rule.

use std::collections::HashMap;

use burn_ir::{OperationIr, TensorId};

/// Returns the path of each operation.
pub(crate) fn infer(operations: &[OperationIr], parameters: &[(TensorId, String)]) -> Vec<String> {
    fill(&named(operations, parameters))
}

/// Returns the module that a parameter belongs to.
fn module(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or("", |(module, _)| module)
}

/// Returns the innermost module around two modules.
fn enclosing<'a>(a: &'a str, b: &str) -> &'a str {
    let mut end = 0;
    let mut rest = b.split('.');
    for part in a.split('.') {
        if rest.next() != Some(part) {
            break;
        }
        // The part, and the dot before it unless it is the first.
        end += part.len() + usize::from(end > 0);
    }
    &a[..end]
}

/// Returns the paths of operations that read parameters, or values computed from parameters alone.
fn named<'a>(
    operations: &[OperationIr],
    parameters: &'a [(TensorId, String)],
) -> Vec<Option<&'a str>> {
    /// The module of a value that is computed from parameters alone.
    #[derive(Clone, Copy)]
    enum Source<'a> {
        Parameters(&'a str),
        Constants,
    }
    let mut made: HashMap<TensorId, Source> = parameters
        .iter()
        .map(|(id, name)| (*id, Source::Parameters(module(name))))
        .collect();
    let mut paths = Vec::with_capacity(operations.len());
    for operation in operations {
        let operands: Vec<Option<Source>> = operation
            .inputs()
            .map(|t| made.get(&t.id).copied())
            .collect();
        let path = operands
            .iter()
            .filter_map(|m| match m {
                Some(Source::Parameters(path)) => Some(*path),
                _ => None,
            })
            .reduce(|a, b| enclosing(a, b));
        if operands.iter().all(Option::is_some) && !matches!(operation, OperationIr::Init(_)) {
            let value = path.map_or(Source::Constants, Source::Parameters);
            made.extend(operation.outputs().map(|t| (t.id, value)));
        }
        paths.push(path);
    }
    paths
}

/// Assigns to every other operation the innermost module around its nearest neighbours with a path.
fn fill(named: &[Option<&str>]) -> Vec<String> {
    let mut next = vec![""; named.len()];
    let mut seen = "";
    for (i, path) in named.iter().enumerate().rev() {
        seen = path.unwrap_or(seen);
        next[i] = seen;
    }
    let mut before = "";
    named
        .iter()
        .zip(next)
        .map(|(path, after)| match path {
            Some(path) => {
                before = path;
                (*path).to_owned()
            }
            None => enclosing(before, after).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_module_around_two_ends_at_a_dot() {
        assert_eq!(enclosing("down.0.conv1", "down.0.conv2"), "down.0");
        assert_eq!(enclosing("down.0", "down.0.conv2"), "down.0");
        assert_eq!(enclosing("down.1", "down.10"), "down");
        assert_eq!(enclosing("down", "up"), "");
        assert_eq!(enclosing("", "up"), "");
        assert_eq!(enclosing("a.b", "a.b"), "a.b");
    }

    #[test]
    fn nodes_without_parameters_lie_between_their_neighbours() {
        let named = [
            None,
            Some("b.1.conv1"),
            None,
            Some("b.1.conv2"),
            None,
            Some("b.2.conv1"),
            None,
        ];
        assert_eq!(
            fill(&named),
            ["", "b.1.conv1", "b.1", "b.1.conv2", "b", "b.2.conv1", ""]
        );
    }
}

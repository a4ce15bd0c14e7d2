//! Errors of graphs and operations.

use std::fmt;

/// An error of an operation: invalid attributes, input types that do not fit, or a failed evaluation.
///
/// The message is one clause without the operation's name and position, which the builder, the verifier
/// or the interpreter adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpError(String);

impl OpError {
    /// Returns an error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        OpError(message.into())
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpError {}

impl From<String> for OpError {
    fn from(message: String) -> Self {
        OpError(message)
    }
}

/// Returns early with an [`OpError`] of the formatted message.
#[macro_export]
macro_rules! op_bail {
    ($($t:tt)*) => { return Err($crate::OpError::new(format!($($t)*))) };
}

/// Returns early with an [`OpError`] of the formatted message unless the condition holds.
#[macro_export]
macro_rules! op_ensure {
    ($cond:expr, $($t:tt)*) => { if !$cond { $crate::op_bail!($($t)*) } };
}

/// An error of building, reading or running a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A node is invalid.
    #[error("graph `{graph}`, node {node} ({op}{}): {message}", at(.path))]
    Node {
        /// The graph's name.
        graph: String,
        /// The node's position in topological order.
        node: usize,
        /// The operation's name.
        op: String,
        /// The module path that the node came from; may be empty.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The graph as a whole is invalid.
    #[error("graph `{graph}`: {message}")]
    Graph {
        /// The graph's name.
        graph: String,
        /// What is wrong.
        message: String,
    },
    /// A text form cannot be parsed.
    #[error("line {line}: {message}")]
    Parse {
        /// Line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A wire form cannot be decoded.
    #[error("{0}")]
    Wire(String),
}

fn at(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" at `{path}`")
    }
}

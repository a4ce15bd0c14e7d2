//! The trait of passes, their context and outcome.

use mirage_ir::{Graph, GraphError, NodeId, target::Capabilities};

use crate::{OptionError, Options, PassInfo};

/// Rewrites graphs. Implemented by a unit struct, which [`register!`](crate::register) adds to the
/// registry.
///
/// A pass accepts any valid graph, has no state, and is deterministic: the same graph, options and
/// capabilities give the same result.
pub trait Pass: Send + Sync {
    /// Returns the metadata of the pass.
    fn info(&self) -> &'static PassInfo;

    /// Rewrites the graph. After an error, the content of `graph` is discarded. A pass does not rewrite
    /// called bodies: the manager runs it on each of them.
    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError>;
}

/// What a pass may depend on besides the graph.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PassContext<'a> {
    /// The capabilities of the backend that the graph will run on.
    pub capabilities: &'a Capabilities,
    /// The pass's options.
    pub options: &'a Options,
    /// Whether the graph is a called body, whose interface must not change even if the pass may change that
    /// of a program.
    pub is_body: bool,
}

impl<'a> PassContext<'a> {
    /// Returns a context for the graph of a program.
    pub fn new(capabilities: &'a Capabilities, options: &'a Options) -> Self {
        PassContext {
            capabilities,
            options,
            is_body: false,
        }
    }

    /// Returns the context for a called body.
    #[must_use]
    pub fn of_body(self) -> Self {
        PassContext {
            is_body: true,
            ..self
        }
    }
}

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The graph changed.
    Changed {
        /// The number of rewrites.
        rewrites: usize,
        /// Notes for the report, a line each; may be empty.
        notes: Vec<String>,
    },
    /// The graph is unchanged.
    Unchanged {
        /// Why nothing was rewritten, a line each; must not be empty.
        reasons: Vec<String>,
    },
}

impl Outcome {
    /// Returns a change with this number of rewrites and no notes.
    pub fn changed(rewrites: usize) -> Self {
        Outcome::Changed {
            rewrites,
            notes: Vec::new(),
        }
    }

    /// Returns no change, with a reason that a user can act on.
    pub fn unchanged(reason: impl Into<String>) -> Self {
        Outcome::Unchanged {
            reasons: vec![reason.into()],
        }
    }

    /// Whether the graph changed.
    pub fn is_changed(&self) -> bool {
        matches!(self, Outcome::Changed { .. })
    }

    /// The number of rewrites.
    pub fn rewrites(&self) -> usize {
        match self {
            Outcome::Changed { rewrites, .. } => *rewrites,
            Outcome::Unchanged { .. } => 0,
        }
    }

    /// Returns the notes or the reasons.
    pub fn lines(&self) -> &[String] {
        match self {
            Outcome::Changed { notes, .. } => notes,
            Outcome::Unchanged { reasons } => reasons,
        }
    }
}

/// An error of a pass. The manager adds the pass's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The graph could not be rebuilt.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The pass reads options differently from their declaration, which is a bug in the pass.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// Another error.
    #[error("{0}")]
    Other(String),
}

impl PassError {
    /// Returns an error with this message: one line that says what, where, and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        PassError::Other(message.into())
    }

    /// Returns an error at a node of a graph.
    pub fn at(graph: &Graph, id: NodeId, message: impl Into<String>) -> Self {
        let node = graph.node(id);
        PassError::Graph(GraphError::Node {
            graph: graph.name().to_owned(),
            node: id.index(),
            op: node.op.name().into_owned(),
            path: node.path.to_string(),
            message: message.into(),
        })
    }
}

//! The trait of a pass, its surroundings and its outcome.

use mirage_ir::{Graph, GraphError, NodeId, target::Capabilities};

use crate::{OptionError, Options, PassInfo};

/// A rewriting of graphs. Implemented by a unit struct, which [`register!`](crate::register) makes
/// known.
///
/// A pass may be run at any time on any valid graph, has no state of its own, and is deterministic:
/// the same graph, options and capabilities give the same result.
pub trait Pass: Send + Sync {
    /// What the pass says about itself.
    fn info(&self) -> &'static PassInfo;

    /// Rewrites the graph. What it leaves in `graph` after an error is thrown away. Bodies that the
    /// graph calls are not its business: the manager runs it on each of them.
    fn run(&self, graph: &mut Graph, cx: &PassContext<'_>) -> Result<Outcome, PassError>;
}

/// What a pass may look at besides the graph.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PassContext<'a> {
    /// What the backend that the graph will run on can do.
    pub capabilities: &'a Capabilities,
    /// The pass's options.
    pub options: &'a Options,
    /// Whether the graph is the body of calls. Then its interface must stay, whatever the pass may do
    /// to that of a program.
    pub is_body: bool,
}

impl<'a> PassContext<'a> {
    /// A context of these parts, for the graph of a program.
    pub fn new(capabilities: &'a Capabilities, options: &'a Options) -> Self {
        PassContext {
            capabilities,
            options,
            is_body: false,
        }
    }

    /// The same for the body of calls.
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
    /// The graph is another.
    Changed {
        /// How many places were rewritten.
        rewrites: usize,
        /// What a reader of the report should know, a line each; may be empty.
        notes: Vec<String>,
    },
    /// The graph is as it was.
    Unchanged {
        /// Why nothing was rewritten, a line each; never empty.
        reasons: Vec<String>,
    },
}

impl Outcome {
    /// Rewritten in this many places, without notes.
    pub fn changed(rewrites: usize) -> Self {
        Outcome::Changed {
            rewrites,
            notes: Vec::new(),
        }
    }

    /// Nothing rewritten, for this reason.
    pub fn unchanged(reason: impl Into<String>) -> Self {
        Outcome::Unchanged {
            reasons: vec![reason.into()],
        }
    }

    /// Whether the graph is another.
    pub fn is_changed(&self) -> bool {
        matches!(self, Outcome::Changed { .. })
    }

    /// How many places were rewritten.
    pub fn rewrites(&self) -> usize {
        match self {
            Outcome::Changed { rewrites, .. } => *rewrites,
            Outcome::Unchanged { .. } => 0,
        }
    }

    /// The notes or the reasons.
    pub fn lines(&self) -> &[String] {
        match self {
            Outcome::Changed { notes, .. } => notes,
            Outcome::Unchanged { reasons } => reasons,
        }
    }
}

/// Why a pass gives up. The manager adds the pass's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The graph could not be rebuilt.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The pass reads options that its metadata does not declare so: a bug of the pass.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl PassError {
    /// An error with this message: what, where, and what to do, in one line.
    pub fn new(message: impl Into<String>) -> Self {
        PassError::Other(message.into())
    }

    /// An error at a node of a graph.
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

//! Errors of backends.

/// Why a backend cannot do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The graph is wrong or a parameter is missing.
    #[error(transparent)]
    Graph(#[from] mirage_ir::GraphError),
    /// The backend cannot run a node and has no way around it.
    #[error("backend `{backend}` cannot run node {node} ({op} at `{path}`): {reason}")]
    Unsupported {
        /// The backend.
        backend: String,
        /// The node's position in topological order.
        node: usize,
        /// The operation's name.
        op: String,
        /// The node's module path.
        path: String,
        /// Why not, and what would help.
        reason: String,
    },
    /// An argument of an execution does not fit.
    #[error("{0}")]
    Argument(String),
    /// The graph needs more memory than there is.
    #[error("backend `{backend}`: {message}")]
    Memory {
        /// The backend.
        backend: String,
        /// What the graph needs and what there is.
        message: String,
        /// What there is, in bytes.
        available: u64,
    },
    /// The engine failed.
    #[error("backend `{backend}`: {message}")]
    Engine {
        /// The backend.
        backend: String,
        /// What the engine said, and where.
        message: String,
    },
}

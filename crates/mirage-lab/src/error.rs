//! Why a driver gives no result.

use mirage_backend::BackendError;
use mirage_model::ModelError;
use mirage_pass::{PipelineError, PlanError, RegistryError};
use mirage_stream::StreamError;

/// Why a driver gives no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The request cannot be met as it is written; nothing was begun.
    #[error("{0}")]
    Request(String),
    /// The work failed.
    #[error("{0}")]
    Failed(String),
    /// The observer stopped the work before there was a result.
    #[error("{0}")]
    Interrupted(String),
    /// The model cannot be built, or its weights cannot be read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Capture, compilation or a frame.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The passes do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A pass failed or broke the graph.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The passes that are linked contradict each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Frames cannot be read or resized.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
    /// A graph that cannot be run by its definition.
    #[error(transparent)]
    Definition(#[from] mirage_ir::GraphError),
    /// An operation or its data.
    #[error(transparent)]
    Graph(#[from] mirage_ir::OpError),
    /// A job.
    #[error(transparent)]
    Job(#[from] Box<mirage::Error>),
    /// A file of tensors.
    #[error(transparent)]
    Tensors(#[from] crate::tensors::TensorFileError),
}

/// The result of a driver.
pub type Result<T, E = LabError> = std::result::Result<T, E>;

impl From<mirage::Error> for LabError {
    fn from(error: mirage::Error) -> Self {
        LabError::Job(Box::new(error))
    }
}

//! Errors of the drivers.

use mirage_backend::BackendError;
use mirage_model::ModelError;
use mirage_pass::{PipelineError, PlanError, RegistryError};
use mirage_stream::StreamError;

/// Errors of the drivers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The request is invalid; nothing was run.
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
    /// Capturing, compiling or running a frame failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The passes cannot be combined.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A pass failed or broke the graph.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The linked passes contradict each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Frames cannot be read or resized.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
    /// The reference interpreter cannot run the graph.
    #[error(transparent)]
    Definition(#[from] mirage_ir::GraphError),
    /// An operation or its data is invalid.
    #[error(transparent)]
    Graph(#[from] mirage_ir::OpError),
    /// The job is invalid or failed.
    #[error(transparent)]
    Job(#[from] Box<mirage::Error>),
    /// A file of tensors cannot be read or written.
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

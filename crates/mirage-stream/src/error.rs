//! Errors of a live run.

/// Why a run cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
    /// A conditioning input that the program does not take, or that is not set.
    #[error("input `{name}` {reason}")]
    Input {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model.
    #[error(transparent)]
    Model(#[from] mirage_model::ModelError),
    /// The model could not be captured.
    #[error(transparent)]
    Capture(#[from] mirage_capture::CaptureError),
    /// The pipeline of passes.
    #[error(transparent)]
    Passes(#[from] mirage_pass::PipelineError),
    /// The backend.
    #[error(transparent)]
    Backend(#[from] mirage_backend::BackendError),
    /// The program needs more memory than there is.
    #[error("{error}: {advice}")]
    Memory {
        /// What it needs and what there is.
        error: Box<mirage_backend::BackendError>,
        /// Which passes would help, or what else.
        advice: String,
    },
    /// Reading or writing video.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
    /// The network's output is no picture.
    #[error("{0}: if the passes lower precision, try without fp16, or bf16 in its place")]
    NotFinite(mirage_video::Error),
}

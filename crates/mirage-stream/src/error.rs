//! Errors of streams.

/// Why a stream cannot start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// A setting is out of its range.
    #[error("{0}")]
    Setting(String),
    /// A conditioning input is unknown, has the wrong type, or is not set.
    #[error("input `{name}` {reason}")]
    Input {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model is invalid.
    #[error(transparent)]
    Model(#[from] mirage_model::ModelError),
    /// The model could not be captured.
    #[error(transparent)]
    Capture(#[from] mirage_capture::CaptureError),
    /// A pass failed.
    #[error(transparent)]
    Passes(#[from] mirage_pass::PipelineError),
    /// The backend failed.
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
    /// Video could not be read or written.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
    /// The output of the network is not finite.
    #[error("the output of the model is not finite: {count}")]
    NotFinite {
        /// The frame's number.
        frame: u64,
        /// The number of such elements.
        count: crate::NotFinite,
    },
}

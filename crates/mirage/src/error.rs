//! Why there is no stream, or no frame.

use mirage_backend::BackendError;
use mirage_model::ModelError;
use mirage_pass::{GrammarError, PipelineError, PlanError, RegistryError};
use mirage_stream::StreamError;

/// Why there is no stream, or no frame. Errors of the crates below are its sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be met.
    #[error("{setting}: {reason}")]
    Setting {
        /// The builder's method.
        setting: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// No backend has this name.
    #[error("unknown backend `{name}`: {}", advice(.name, .known))]
    UnknownBackend {
        /// The name that was given.
        name: String,
        /// The backends that are linked.
        known: Vec<String>,
    },
    /// The backend does not have this device.
    #[error("backend `{backend}` has no device {device}; available: {}", list(.available))]
    NoDevice {
        /// The backend.
        backend: String,
        /// The number that was given.
        device: usize,
        /// The numbers that there are.
        available: Vec<usize>,
    },
    /// The text of the passes cannot be read.
    #[error("passes: {0}")]
    Grammar(#[from] GrammarError),
    /// The passes do not go together.
    #[error(transparent)]
    Plan(#[from] Box<PlanError>),
    /// A pass failed or broke the graph.
    #[error(transparent)]
    Pipeline(#[from] Box<PipelineError>),
    /// The passes that are linked contradict each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The model cannot be built, or its weights cannot be read.
    #[error(transparent)]
    Model(#[from] Box<ModelError>),
    /// The backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Capture, compilation or a frame.
    #[error(transparent)]
    Stream(#[from] Box<StreamError>),
    /// A frame of no size.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
}

/// What is large is in a box, so that results are small.
macro_rules! boxed {
    ($($error:ident => $variant:ident),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Error::$variant(Box::new(error))
            }
        })*
    };
}

boxed!(PlanError => Plan, PipelineError => Pipeline, ModelError => Model, StreamError => Stream);

fn advice(name: &str, known: &[String]) -> String {
    match known {
        [] => "no backend is linked into this program".to_owned(),
        _ => mirage_suggest::advice(name, known.iter().map(String::as_str)),
    }
}

fn list(devices: &[usize]) -> String {
    match devices {
        [] => "none".to_owned(),
        _ => devices
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

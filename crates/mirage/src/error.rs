//! Errors of building and running streams.

use mirage_backend::BackendError;
use mirage_model::ModelError;
use mirage_pass::{GrammarError, PipelineError, PlanError, RegistryError};
use mirage_stream::StreamError;

/// An error of building or running a stream. Errors of other crates are its sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An invalid setting.
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
        /// The given name.
        name: String,
        /// The linked backends.
        known: Vec<String>,
    },
    /// The backend does not have this device.
    #[error("backend `{backend}` has no device {device}; available: {}", list(.available))]
    NoDevice {
        /// An error of the backend.
        backend: String,
        /// The given index.
        device: usize,
        /// The available indices.
        available: Vec<usize>,
    },
    /// The text of the passes is invalid.
    #[error("passes: {0}")]
    Grammar(#[from] GrammarError),
    /// The passes cannot be combined.
    #[error(transparent)]
    Plan(#[from] Box<PlanError>),
    /// A pass failed or broke the graph.
    #[error(transparent)]
    Pipeline(#[from] Box<PipelineError>),
    /// The linked passes have conflicting metadata.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The model cannot be built, or its weights cannot be read.
    #[error(transparent)]
    Model(#[from] Box<ModelError>),
    /// An error of the backend.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// An error of capture, compilation or a frame.
    #[error(transparent)]
    Stream(#[from] Box<StreamError>),
    /// An invalid frame.
    #[error(transparent)]
    Video(#[from] mirage_video::Error),
}

/// Boxes large errors, to keep results small.
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

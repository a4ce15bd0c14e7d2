//! Calls of a plugin's functions, and their answers.

use std::ffi::c_void;

use mirage_backend::BackendError;
use mirage_pass::PassError;

use super::Plugin;
use crate::{
    abi::Writer,
    message::{self, ErrorForm},
};

/// Receives what a plugin writes in one call.
pub(super) struct Sink {
    bytes: Vec<u8>,
    limit: usize,
    is_over: bool,
}

impl Sink {
    /// Returns an empty sink that accepts at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Sink {
            bytes: Vec::new(),
            limit,
            is_over: false,
        }
    }

    /// Returns the writer for the plugin; valid while `self` is not moved.
    pub(super) fn writer(&mut self) -> Writer {
        Writer {
            context: std::ptr::from_mut(self).cast(),
            write: Some(append),
        }
    }

    /// Returns what was written.
    pub(super) fn finish(self) -> Result<Vec<u8>, String> {
        if self.is_over {
            Err(format!("it wrote more than {} bytes", self.limit))
        } else {
            Ok(self.bytes)
        }
    }
}

/// # Safety
/// `context` is of a [`Sink`] that is there; `data` points at `len` bytes.
unsafe extern "C" fn append(context: *mut c_void, data: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's promise.
    let Some(sink) = (unsafe { context.cast::<Sink>().as_mut() }) else {
        return 1;
    };
    if len == 0 {
        return 0;
    }
    if data.is_null() || len > sink.limit - sink.bytes.len() {
        sink.is_over = true;
        return 1;
    }
    // SAFETY: the caller's promise.
    sink.bytes
        .extend_from_slice(unsafe { std::slice::from_raw_parts(data, len) });
    0
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The plugin reported an error.
    Said(ErrorForm),
    /// The plugin broke the contract.
    Breach(String),
}

impl Trouble {
    /// Reads the error that a plugin wrote.
    pub(super) fn said(bytes: &[u8]) -> Self {
        match message::decode(bytes) {
            Ok(form) => Trouble::Said(form),
            Err(_) if bytes.trim_ascii().is_empty() => {
                Trouble::Breach("failed without an error message".to_owned())
            }
            Err(_) => Trouble::Said(ErrorForm::Argument {
                message: plain(bytes),
            }),
        }
    }

    /// Returns the message for a user.
    pub(super) fn sentence(&self, plugin: &Plugin) -> String {
        match self {
            Trouble::Said(
                ErrorForm::Argument { message }
                | ErrorForm::Engine { message }
                | ErrorForm::Memory { message, .. },
            ) => message.clone(),
            Trouble::Said(ErrorForm::Unsupported {
                node, op, reason, ..
            }) => format!("node {node} ({op}): {reason}"),
            Trouble::Said(ErrorForm::Panic { message }) => {
                format!("{plugin} panicked; report this to its author: {message}")
            }
            Trouble::Breach(what) => format!("{plugin} {what}"),
        }
    }

    pub(super) fn into_pass_error(self, plugin: &Plugin) -> PassError {
        PassError::new(self.sentence(plugin))
    }

    /// Returns the error of a backend of this name.
    pub(super) fn into_backend_error(self, plugin: &Plugin, backend: &str) -> BackendError {
        match self {
            Trouble::Said(ErrorForm::Argument { message }) => BackendError::Argument(message),
            Trouble::Said(ErrorForm::Unsupported {
                node,
                op,
                path,
                reason,
            }) => BackendError::Unsupported {
                backend: backend.to_owned(),
                node: usize::try_from(node).unwrap_or(usize::MAX),
                op,
                path,
                reason,
            },
            Trouble::Said(ErrorForm::Memory { message, available }) => BackendError::Memory {
                backend: backend.to_owned(),
                message,
                available,
            },
            other => BackendError::Engine {
                backend: backend.to_owned(),
                message: other.sentence(plugin),
            },
        }
    }
}

/// Formats any error as a line.
pub(super) fn error_text(bytes: &[u8]) -> String {
    match message::decode(bytes) {
        Ok(
            ErrorForm::Argument { message }
            | ErrorForm::Engine { message }
            | ErrorForm::Memory { message, .. }
            | ErrorForm::Unsupported {
                reason: message, ..
            },
        ) => message,
        Ok(ErrorForm::Panic { message }) => format!("it panicked: {message}"),
        Err(_) => plain(bytes),
    }
}

/// Formats plain text of a plugin in one line.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        "it failed without an error message".to_owned()
    } else {
        line
    }
}

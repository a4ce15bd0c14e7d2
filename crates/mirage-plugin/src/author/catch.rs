//! Answers to the host. Panics become errors, because nothing may unwind into a C caller.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind, set_hook},
};

use serde::Serialize;

use super::argument;
use crate::{
    abi::{ERROR, OK, Writer},
    message::{self, ErrorForm},
};

/// The writer of an answer.
pub(super) struct Out(*const Writer);

impl Out {
    /// # Safety
    /// `writer` is null or a writer that lives as long as this.
    pub(super) unsafe fn new(writer: *const Writer) -> Self {
        Out(writer)
    }

    /// Writes bytes.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), ErrorForm> {
        // SAFETY: whoever made this promised a writer.
        let Some(writer) = (unsafe { self.0.as_ref() }) else {
            return Err(argument("the host gave no writer"));
        };
        let write = writer
            .write
            .ok_or_else(|| argument("the host's writer writes nothing"))?;
        // SAFETY: the context is the writer's own, and the bytes are there during the call.
        match unsafe { write(writer.context, bytes.as_ptr(), bytes.len()) } {
            0 => Ok(()),
            _ => Err(argument(format!(
                "the host accepts no {} bytes more",
                bytes.len()
            ))),
        }
    }

    /// Writes a message.
    pub(super) fn message<T: Serialize>(&self, message: &T) -> Result<(), ErrorForm> {
        self.write(&message::encode(message).map_err(argument)?)
    }
}

/// Runs `f`; an error or a panic is written to `out`.
pub(super) fn answer(out: *const Writer, f: impl FnOnce(&Out) -> Result<(), ErrorForm>) -> i32 {
    // SAFETY: every caller is a function of the table, whose `out` the host lends for the call.
    let out = unsafe { Out::new(out) };
    match catch(|| f(&out)) {
        Ok(()) => OK,
        Err(error) => {
            // If even this cannot be written, the result code alone reports the failure.
            let _ = catch(|| out.message(&error));
            ERROR
        }
    }
}

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<String>> = const { Cell::new(None) };
}

/// Runs `f`; a panic becomes an error with its message and source location.
pub(super) fn catch<T>(f: impl FnOnce() -> Result<T, ErrorForm>) -> Result<T, ErrorForm> {
    let outer = CATCHING.replace(true);
    // The callers discard all state that `f` may have left incomplete.
    let result = catch_unwind(AssertUnwindSafe(f));
    CATCHING.set(outer);
    result.unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let text = one_line(text.unwrap_or("without a message"));
        let message = match PLACE.take() {
            Some(place) => format!("{text} ({place})"),
            None => text,
        };
        Err(ErrorForm::Panic { message })
    })
}

/// Replaces the panic hook of this library, which must not print. A panic in a call becomes the call's
/// error; one in another thread becomes a log event.
pub(super) fn install() {
    set_hook(Box::new(|info| {
        let place = info
            .location()
            .map(|l| format!("{}:{}", file_name(l.file()), l.line()));
        if CATCHING.get() {
            PLACE.set(place);
            return;
        }
        let message = one_line(info.payload_as_str().unwrap_or("without a message"));
        let place = place.unwrap_or_default();
        tracing::error!("a thread of the plugin panicked: {message} ({place})");
    }));
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes the folders of the build machine from a path.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

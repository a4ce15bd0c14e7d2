//! The only place that writes to standard output and standard error. Colours are removed where the
//! stream is not a terminal or the user disabled them.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anstream::AutoStream;
use serde::Serialize;

use crate::error::{CliError, Ending, Result};

/// Where a command's results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error, where standard output carries the video.
    Stderr,
}

impl Stream {
    /// Writes text. A closed pipe is not an error.
    ///
    /// # Errors
    /// If the stream cannot be written.
    pub(crate) fn emit(self, text: &str) -> Result<()> {
        let (name, written) = match self {
            Stream::Stdout => (
                "standard output",
                write(AutoStream::auto(io::stdout()), text),
            ),
            Stream::Stderr => ("standard error", emit_stderr(text)),
        };
        match written {
            Err(e) if e.kind() != ErrorKind::BrokenPipe => {
                Err(CliError::failure(format!("cannot write to {name}: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes a value as JSON, indented.
    pub(crate) fn emit_json(self, value: &impl Serialize) -> Result<()> {
        self.emit(&json(value)?)
    }

    /// Returns whether the stream is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// Writes bytes to standard output.
pub(crate) fn emit_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::failure(format!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Writes text to standard error.
pub(crate) fn emit_stderr(text: &str) -> io::Result<()> {
    write(AutoStream::auto(io::stderr()), text)
}

/// Returns a value as indented JSON with a newline at the end.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value).failure()?;
    text.push('\n');
    Ok(text)
}

fn write(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

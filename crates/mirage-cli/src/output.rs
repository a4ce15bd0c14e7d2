//! The only place that writes to standard output and standard error. Colours are taken out where
//! the stream is no terminal or the user wants none.

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
    /// Writes text. A reader that went away has read enough, so that is no error.
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
                Err(CliError::failure(format!("{name} cannot be written: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes a value as JSON, indented.
    pub(crate) fn emit_json(self, value: &impl Serialize) -> Result<()> {
        self.emit(&json(value)?)
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// Writes bytes to standard output as they are.
pub(crate) fn emit_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::failure(format!(
            "standard output cannot be written: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Writes text to standard error.
pub(crate) fn emit_stderr(text: &str) -> io::Result<()> {
    write(AutoStream::auto(io::stderr()), text)
}

/// A value as indented JSON with a line end.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string_pretty(value).failure()?;
    text.push('\n');
    Ok(text)
}

fn write(mut stream: impl Write, text: &str) -> io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

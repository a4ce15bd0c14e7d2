//! The only place that writes to standard output and standard error. Colours are removed where the
//! stream is not a terminal or the user disabled them.

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use anstream::AutoStream;
use serde::Serialize;

use crate::error::{CliError, Ending, Result};

/// Whether standard output carries the content of a file.
static CARRIES_A_FILE: AtomicBool = AtomicBool::new(false);

/// Reserves standard output for a file that was given as `-`: [`Stream::Stdout`] is standard error from now on.
pub(crate) fn leave_stdout_to_a_file() {
    CARRIES_A_FILE.store(true, Ordering::Relaxed);
}

/// Where a command's results go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or standard error where standard output carries a file.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Returns the stream that is written to.
    fn actual(self) -> Self {
        match CARRIES_A_FILE.load(Ordering::Relaxed) {
            true => Stream::Stderr,
            false => self,
        }
    }

    /// Writes text. A closed pipe is not an error.
    ///
    /// # Errors
    /// If the stream cannot be written.
    pub(crate) fn emit(self, text: &str) -> Result<()> {
        let (name, written) = match self.actual() {
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
        match self.actual() {
            Stream::Stdout => io::stdout().is_terminal(),
            Stream::Stderr => io::stderr().is_terminal(),
        }
    }
}

/// Writes the content of a file to standard output.
pub(crate) fn emit_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::failure(format!(
            "cannot write to standard output: {e}"
        ))),
        _ => Ok(()),
    }
}

/// Copies a file to standard output and returns its size in bytes.
pub(crate) fn emit_file(path: &Path) -> Result<u64> {
    let mut file = File::open(path).failure()?;
    let mut stdout = io::stdout().lock();
    match io::copy(&mut file, &mut stdout).and_then(|size| stdout.flush().map(|()| size)) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::failure(format!(
            "cannot write to standard output: {e}"
        ))),
        copied => Ok(copied.unwrap_or(0)),
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

/// Refuses to write a file that is not text to a terminal.
///
/// # Errors
/// If standard output is a terminal.
pub(crate) fn refuse_binary_on_terminal() -> Result<()> {
    match io::stdout().is_terminal() {
        false => Ok(()),
        true => Err(CliError::usage(
            "standard output is a terminal, to which binary data is not written; redirect it (> FILE), or give a file name instead of -",
        )),
    }
}

//! Errors of commands: one line on standard error, and an exit code.

use std::{error::Error, fmt::Display, process::ExitCode};

use mirage_lab::LabError;
use mirage_stream::StreamError;

use crate::output;

/// Why a command failed, with its source errors.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    error: anyhow::Error,
}

/// The kind of failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command line is wrong; nothing was run. Exit code 2.
    Usage,
    /// The run failed. Exit code 1.
    Failure,
    /// Interrupted before any output was written. Exit code 130.
    Interrupted,
}

/// The result of a command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// Returns an error of the command line.
    pub(crate) fn usage(message: impl Display) -> Self {
        CliError {
            kind: Kind::Usage,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Returns an error of the run.
    pub(crate) fn failure(message: impl Display) -> Self {
        CliError {
            kind: Kind::Failure,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Returns the error of an interrupted run.
    pub(crate) fn interrupted(message: impl Display) -> Self {
        CliError {
            kind: Kind::Interrupted,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Prints the error as one line and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        print_error(&self.line());
        ExitCode::from(match self.kind {
            Kind::Usage => 2,
            Kind::Failure => 1,
            Kind::Interrupted => 130,
        })
    }

    /// Returns the message, followed by those of its sources that it does not quote.
    fn line(&self) -> String {
        let mut line = self.error.to_string();
        for source in self.error.chain().skip(1).map(ToString::to_string) {
            if !line.contains(&source) {
                line.push_str(&format!(": {source}"));
            }
        }
        line
    }
}

impl Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.line())
    }
}

/// Turns an error of a library crate into an error of the command.
pub(crate) trait Ending<T> {
    /// The command line is wrong.
    fn usage(self) -> Result<T>;
    /// The run failed.
    fn failure(self) -> Result<T>;
}

impl<T, E: Error + Send + Sync + 'static> Ending<T> for std::result::Result<T, E> {
    fn usage(self) -> Result<T> {
        self.map_err(|e| CliError {
            kind: Kind::Usage,
            error: e.into(),
        })
    }

    fn failure(self) -> Result<T> {
        self.map_err(|e| CliError {
            kind: Kind::Failure,
            error: e.into(),
        })
    }
}

impl From<LabError> for CliError {
    fn from(error: LabError) -> Self {
        let kind = match &error {
            LabError::Request(_) | LabError::Plan(_) => Kind::Usage,
            LabError::Interrupted(_) => Kind::Interrupted,
            LabError::Job(error) => of_job(error),
            LabError::Video(error) | LabError::Stream(StreamError::Video(error)) => of_video(error),
            _ => Kind::Failure,
        };
        CliError {
            kind,
            error: error.into(),
        }
    }
}

impl From<mirage::Error> for CliError {
    fn from(error: mirage::Error) -> Self {
        LabError::from(error).into()
    }
}

impl From<StreamError> for CliError {
    fn from(error: StreamError) -> Self {
        LabError::from(error).into()
    }
}

impl From<mirage_video::Error> for CliError {
    fn from(error: mirage_video::Error) -> Self {
        CliError {
            kind: of_video(&error),
            error: error.into(),
        }
    }
}

/// Errors in the settings of a job are errors of the command line.
fn of_job(error: &mirage::Error) -> Kind {
    use mirage::Error;
    match error {
        Error::Setting { .. }
        | Error::UnknownBackend { .. }
        | Error::NoDevice { .. }
        | Error::Grammar(_)
        | Error::Plan(_) => Kind::Usage,
        _ => Kind::Failure,
    }
}

/// Wrong options and unknown output formats of videos are errors of the command line.
fn of_video(error: &mirage_video::Error) -> Kind {
    use mirage_video::Error;
    match error {
        Error::BadOption { .. } | Error::UnknownOutput { .. } => Kind::Usage,
        _ => Kind::Failure,
    }
}

/// Prints an error as one line on standard error.
pub(crate) fn print_error(message: &str) {
    print_labelled("error:", anstyle::AnsiColor::Red, message);
}

/// Prints a warning as one line on standard error.
pub(crate) fn warn(message: &str) {
    print_labelled("warning:", anstyle::AnsiColor::Yellow, message);
}

/// Prints a note as one line on standard error.
pub(crate) fn note(message: &str) {
    print_labelled("note:", anstyle::AnsiColor::Cyan, message);
}

fn print_labelled(label: &str, color: anstyle::AnsiColor, message: &str) {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let style = color.on_default().bold();
    // If standard error cannot be written, the error cannot be reported.
    let _ = output::emit_stderr(&format!("{style}{label}{style:#} {message}\n"));
}

//! How the program ends badly: one line on standard error, and an exit code.

use std::{error::Error, fmt::Display, process::ExitCode};

use mirage_lab::LabError;
use mirage_stream::StreamError;

use crate::output;

/// Why a command did not do what it was asked, with the errors beneath.
#[derive(Debug)]
pub(crate) struct CliError {
    kind: Kind,
    error: anyhow::Error,
}

/// Which kind of bad end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The command line is wrong; nothing was begun. Exit code 2.
    Usage,
    /// The run failed. Exit code 1.
    Failure,
    /// Ctrl-C came before anything was made. Exit code 130.
    Interrupted,
}

/// The result of a command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Display) -> Self {
        CliError {
            kind: Kind::Usage,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// The run failed.
    pub(crate) fn failure(message: impl Display) -> Self {
        CliError {
            kind: Kind::Failure,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Ctrl-C came before anything was made.
    pub(crate) fn interrupted(message: impl Display) -> Self {
        CliError {
            kind: Kind::Interrupted,
            error: anyhow::anyhow!("{message}"),
        }
    }

    /// Prints the line and gives the code.
    pub(crate) fn report(&self) -> ExitCode {
        print_error(&self.line());
        ExitCode::from(match self.kind {
            Kind::Usage => 2,
            Kind::Failure => 1,
            Kind::Interrupted => 130,
        })
    }

    /// The message, and those of its sources that it does not quote.
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

/// Says of an error of a crate below which kind of bad end it is.
pub(crate) trait Ending<T> {
    /// The user's command line is at fault.
    fn usage(self) -> Result<T>;
    /// The run is.
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

/// Of a job, settings are the command line's.
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

/// Of reading or writing video, options and names of no format are the command line's.
fn of_video(error: &mirage_video::Error) -> Kind {
    use mirage_video::Error;
    match error {
        Error::BadOption { .. } | Error::UnknownOutput { .. } => Kind::Usage,
        _ => Kind::Failure,
    }
}

/// Prints a line on standard error about what the command could not do.
pub(crate) fn print_error(message: &str) {
    print_labelled("error:", anstyle::AnsiColor::Red, message);
}

/// Prints a line on standard error about something that the command goes on without.
pub(crate) fn warn(message: &str) {
    print_labelled("warning:", anstyle::AnsiColor::Yellow, message);
}

/// Prints a line on standard error that is no problem.
pub(crate) fn note(message: &str) {
    print_labelled("note:", anstyle::AnsiColor::Cyan, message);
}

fn print_labelled(label: &str, color: anstyle::AnsiColor, message: &str) {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let style = color.on_default().bold();
    // Nobody is left to tell that standard error cannot be written.
    let _ = output::emit_stderr(&format!("{style}{label}{style:#} {message}\n"));
}

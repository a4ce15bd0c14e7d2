//! How the program ends badly: one line on standard error, and an exit code.

use std::{fmt::Display, process::ExitCode};

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{cli::Cli, output};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line is wrong; nothing was begun. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The run failed. Exit code 1.
    #[error("{0}")]
    Failure(String),
    /// Ctrl-C came before anything was made. Exit code 130.
    #[error("{0}")]
    Interrupted(String),
}

/// The result of a command.
pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    /// Prints the line and gives the code.
    pub(crate) fn report(&self) -> ExitCode {
        print_line(&self.to_string());
        ExitCode::from(match self {
            CliError::Usage(_) => 2,
            CliError::Failure(_) => 1,
            CliError::Interrupted(_) => 130,
        })
    }
}

/// Says of an error of a crate below which kind of bad end it is.
pub(crate) trait Ending<T> {
    /// The user's command line is at fault.
    fn usage(self) -> Result<T>;
    /// The run is.
    fn failure(self) -> Result<T>;
}

impl<T, E: Display> Ending<T> for std::result::Result<T, E> {
    fn usage(self) -> Result<T> {
        self.map_err(|e| CliError::Usage(e.to_string()))
    }

    fn failure(self) -> Result<T> {
        self.map_err(|e| CliError::Failure(e.to_string()))
    }
}

/// An error of reading or writing video: options and names of no format are the command line's.
pub(crate) fn of_video(error: &mirage_video::Error) -> CliError {
    use mirage_video::Error;
    match error {
        Error::BadOption { .. } | Error::UnknownOutput { .. } => CliError::Usage(error.to_string()),
        _ => CliError::Failure(error.to_string()),
    }
}

/// The end of an unknown name's message: the nearest name, or all of them.
pub(crate) fn advice<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match mirage_pass::nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known: {}", known.join(", ")),
    }
}

/// Prints clap's answer to a command line that runs nothing: help and versions as they are, an error
/// as one line.
pub(crate) fn answer(answer: &clap::Error) -> ExitCode {
    match answer.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away has read enough.
            let _ = answer.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = answer.print();
            ExitCode::from(2)
        }
        _ => {
            let mut line = summary(&answer.render().to_string());
            line.push_str(&nearest_command(answer).unwrap_or_default());
            print_line(&format!("{line} (see --help)"));
            ExitCode::from(2)
        }
    }
}

/// clap's paragraphs up to the usage, in one line.
fn summary(rendered: &str) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let paragraphs = text
        .split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .take_while(|p| !p.starts_with("Usage:") && !p.starts_with("For more information"))
        .filter(|p| !p.is_empty());
    paragraphs.collect::<Vec<_>>().join("; ")
}

/// The command that an unknown one is a slip of, where clap finds none.
fn nearest_command(answer: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(wrong)) = answer.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if answer.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let program = Cli::command();
    let commands = program.get_subcommands().map(clap::Command::get_name);
    mirage_pass::nearest(wrong, commands).map(|near| format!("; did you mean `{near}`?"))
}

fn print_line(message: &str) {
    print_labelled("error:", anstyle::AnsiColor::Red, message);
}

/// Prints a line on standard error about something that the command goes on without.
pub(crate) fn warn(message: &str) {
    print_labelled("warning:", anstyle::AnsiColor::Yellow, message);
}

fn print_labelled(label: &str, color: anstyle::AnsiColor, message: &str) {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let style = color.on_default().bold();
    // Nobody is left to tell that standard error cannot be written.
    let _ = output::emit_stderr(&format!("{style}{label}{style:#} {message}\n"));
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn claps_paragraphs_become_a_line() {
        let rendered = "error: unexpected argument '--stepz' found\n\n  tip: a similar argument \
                        exists: '--steps'\n\nUsage: mirage run [OPTIONS]\n\nFor more information, \
                        try '--help'.\n";
        assert_eq!(
            summary(rendered),
            "unexpected argument '--stepz' found; tip: a similar argument exists: '--steps'"
        );
    }
}

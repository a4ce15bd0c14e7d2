//! The command line: global options and commands.

use std::{num::NonZeroU16, process::ExitCode};

use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tracing_subscriber::EnvFilter;

use crate::{
    backends::BackendsArgs,
    bench::BenchArgs,
    completions::CompletionsArgs,
    doctor::DoctorArgs,
    error::{CliError, Result, print_error},
    files::Files,
    graph::GraphArgs,
    infer::InferArgs,
    man::ManArgs,
    models::ModelsArgs,
    parity::ParityArgs,
    passes::PassesArgs,
    plugins::{PluginArgs, PluginsArgs},
    profile::ProfileArgs,
    run::RunArgs,
    threads::use_threads,
    tune::TuneArgs,
};

const AFTER_HELP: &str = "\
A model is captured into a graph, rewritten by the passes that you name, compiled by a backend and
run on a video.

Examples:
  mirage run                                   the built-in test scene, to mirage-out.gif
  mirage run --passes sdpa,channels_last       optimize, and compare with the unoptimized run
  mirage run in.mp4 out.mp4                    your own video (mp4 needs ffmpeg on PATH)
  mirage passes list                           list the optimization passes

Exit codes: 0 success; 1 the run failed; 2 the command line is wrong; 130 interrupted before the
first frame.";

/// Run diffusion models on live video, and measure what every optimization costs
#[derive(Debug, Parser)]
#[command(name = "mirage", version, after_help = AFTER_HELP, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Log to standard error at this level: error, warn, info, debug, trace, or a filter such as
    /// `mirage_capture=debug,warn`; hides the progress bar
    #[arg(long, global = true, value_name = "LEVEL", env = "MIRAGE_LOG")]
    log: Option<String>,
    /// When to use colours; `auto` uses them on a terminal unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// Number of threads for backends that run on the processor [default: RAYON_NUM_THREADS (cpu) or
    /// OMP_NUM_THREADS (tch) if set, otherwise one per processor]
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroU16>,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a model on a video, live or from a file
    Run(Box<RunArgs>),
    /// Run one forward pass of a model on tensors from a file
    Infer(Box<InferArgs>),
    /// Measure what each pass gains, alone and combined: time, memory and error, with intervals
    Bench(Box<BenchArgs>),
    /// Find the fastest set of passes on this machine, within a time budget and an error bound
    Tune(Box<TuneArgs>),
    /// Show where the time of a frame goes: by operation, by layer or by node
    Profile(Box<ProfileArgs>),
    /// Check that backends compute what the graph defines, for sets of passes and dtypes
    Parity(ParityArgs),
    /// List the optimization passes, or show one with its options
    Passes(PassesArgs),
    /// List the models, show one, or export its weights
    Models(ModelsArgs),
    /// List the available backends and their devices
    Backends(BackendsArgs),
    /// List the plugins that were found, or create a new one
    #[command(visible_alias = "plugin")]
    Plugins(PluginsArgs),
    /// Write the graph of a model, or run a graph from a file
    Graph(GraphArgs),
    /// Show what this machine and its backends can do, and which passes help a model here
    Doctor(Box<DoctorArgs>),
    /// Print a completion script for your shell
    Completions(CompletionsArgs),
    /// Print the manual page, or write all manual pages to a folder
    Man(ManArgs),
}

impl Cli {
    /// Parses the command line of this process. Values of options may be negative numbers, so that one out of its range is
    /// refused by the option's name, and not as an unknown flag.
    ///
    /// # Errors
    /// Help, the version, or what is wrong with the command line.
    pub(crate) fn of_process() -> std::result::Result<Self, clap::Error> {
        let mut command = with_negative_numbers(Cli::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// Sets the number of threads if `--threads` is given. Must be called first.
    pub(crate) fn use_threads(&self) {
        if let Some(threads) = self.global.threads {
            use_threads(threads);
        }
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Result<()> {
        self.global.apply()?;
        let plugins = self.global.plugins.files();
        self.command.files().and(plugins).claim()?;
        if self.command.uses_plugins() {
            self.global.plugins.load()?;
        }
        match &self.command {
            Command::Run(args) => args.run(self.global.log.is_none()),
            Command::Infer(args) => args.run(),
            Command::Bench(args) => args.run(self.global.log.is_none()),
            Command::Tune(args) => args.run(self.global.log.is_none()),
            Command::Profile(args) => args.run(self.global.log.is_none()),
            Command::Parity(args) => args.run(self.global.log.is_none()),
            Command::Passes(args) => args.run(),
            Command::Models(args) => args.run(),
            Command::Backends(args) => args.run(),
            Command::Plugins(args) => args.run(&self.global.plugins),
            Command::Graph(args) => args.run(),
            Command::Doctor(args) => args.run(self.global.log.is_none()),
            Command::Completions(args) => args.run(),
            Command::Man(args) => args.run(),
        }
    }
}

impl Command {
    /// Every file that the command reads and writes.
    fn files(&self) -> Files {
        match self {
            Command::Run(args) => args.files(),
            Command::Infer(args) => args.files(),
            Command::Bench(args) => args.files(),
            Command::Tune(args) => args.files(),
            Command::Profile(args) => args.files(),
            Command::Parity(args) => args.files(),
            Command::Models(args) => args.files(),
            Command::Graph(args) => args.files(),
            // These write no file, or into a folder of their own.
            Command::Passes(_)
            | Command::Backends(_)
            | Command::Plugins(_)
            | Command::Doctor(_)
            | Command::Completions(_)
            | Command::Man(_) => Files::default(),
        }
    }

    /// Whether the command uses passes or backends. `plugins` loads them itself, to report each file.
    fn uses_plugins(&self) -> bool {
        !matches!(
            self,
            Command::Plugins(_) | Command::Completions(_) | Command::Man(_)
        )
    }
}

impl Global {
    fn apply(&self) -> Result<()> {
        match self.color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        let wanted = self.log.as_deref().unwrap_or("error");
        let filter = EnvFilter::try_new(wanted).map_err(|e| {
            CliError::usage(format!(
                "--log {wanted}: {e}; use error, warn, info, debug or trace, or a filter such as mirage_capture=debug,warn"
            ))
        })?;
        let stderr = || anstream::AutoStream::auto(std::io::stderr());
        // A second subscriber is impossible: this runs once.
        let _ = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(stderr)
            .try_init();
        Ok(())
    }
}

/// Allows negative numbers as values of every option of a command and its subcommands.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes_a_value = arg.get_action().takes_values() && !arg.is_positional();
        match takes_a_value {
            true => arg.allow_negative_numbers(true),
            false => arg,
        }
    });
    command.mut_subcommands(with_negative_numbers)
}

/// Prints clap's answer to a command line that runs nothing: help and version as they are, an error
/// as one line. Returns the exit code.
pub(crate) fn answer(answer: &clap::Error) -> ExitCode {
    match answer.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe is no error: the reader has read enough.
            let _ = answer.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = answer.print();
            ExitCode::from(2)
        }
        _ => {
            let mut line = summary(&answer.render().to_string());
            if answer.kind() == ErrorKind::ValueValidation {
                line = plain_reason(&line);
                line = negative(answer).unwrap_or(line);
            }
            line.push_str(&nearest_command(answer).unwrap_or_default());
            print_error(&format!("{line} (see --help)"));
            ExitCode::from(2)
        }
    }
}

/// Joins clap's paragraphs up to the usage into one line.
fn summary(rendered: &str) -> String {
    let text = rendered.strip_prefix("error: ").unwrap_or(rendered);
    let paragraphs = text
        .split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .take_while(|p| !p.starts_with("Usage:") && !p.starts_with("For more information"))
        .filter(|p| !p.is_empty());
    paragraphs.collect::<Vec<_>>().join("; ")
}

/// Says what a number must be instead of what the standard library's parser met.
fn plain_reason(line: &str) -> String {
    let Some((head, reason)) = line.rsplit_once("': ") else {
        return line.to_owned();
    };
    let plain = match reason {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number of at least 0".to_owned()
        }
        "number would be zero for non-zero type" => "expected a whole number above 0".to_owned(),
        "number too large to fit in target type" => "the number is too large".to_owned(),
        "invalid float literal" | "cannot parse float from empty string" => {
            "expected a number".to_owned()
        }
        _ => match reason.split_once(" is not in ").map(|(_, range)| range) {
            Some(range) => expected_range(range),
            None => reason.to_owned(),
        },
    };
    format!("{head}': {plain}")
}

/// `--seed must be 0 or more, got -1`, for a negative number where none is possible.
fn negative(answer: &clap::Error) -> Option<String> {
    let text = |kind| match answer.get(kind)? {
        ContextValue::String(text) => Some(text.as_str()),
        _ => None,
    };
    let (option, value) = (
        text(ContextKind::InvalidArg)?,
        text(ContextKind::InvalidValue)?,
    );
    if value.parse::<i128>().ok()? >= 0 {
        return None;
    }
    let flag = option.split_whitespace().next()?;
    // Only the parser knows the least number: what it says of 0 tells.
    let with_zero = std::env::args().map(|argument| match argument.strip_suffix(value) {
        Some("") => "0".to_owned(),
        Some(before) if before == format!("{flag}=") => format!("{before}0"),
        _ => argument,
    });
    let range = match Cli::command().try_get_matches_from(with_zero) {
        Err(zero) if zero.get(ContextKind::InvalidArg) == answer.get(ContextKind::InvalidArg) => {
            let reason = plain_reason(&summary(&zero.render().to_string()));
            let (_, range) = reason.rsplit_once(": expected ")?;
            range.replace("a whole number above 0", "above 0")
        }
        _ => "0 or more".to_owned(),
    };
    Some(format!("{flag} must be {range}, got {value}"))
}

/// `expected 1 to 100` for clap's `1..=100`; without the upper bound if it is that of the type.
fn expected_range(range: &str) -> String {
    let (low, high) = range.split_once("..").unwrap_or((range, ""));
    let high = high.trim_start_matches('=');
    let of_type = [
        u64::MAX,
        u64::from(u32::MAX),
        u64::from(u16::MAX),
        i64::MAX as u64,
    ];
    match high.parse::<u64>() {
        Ok(high) if !of_type.contains(&high) => format!("expected {low} to {high}"),
        _ => format!("expected {low} or more"),
    }
}

/// Returns the command nearest to an unknown one, where clap suggests none.
fn nearest_command(answer: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(wrong)) = answer.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if answer.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let program = Cli::command();
    let commands = program.get_subcommands().map(clap::Command::get_name);
    mirage_suggest::nearest(wrong, commands).map(|near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::{plain_reason, summary};

    #[test]
    fn reasons_say_what_a_number_must_be() {
        let reason = |parser: &str| {
            let line = plain_reason(&format!("invalid value '0' for '--frames <N>': {parser}"));
            line.rsplit_once(": ").map(|(_, reason)| reason.to_owned())
        };
        for (parser, plain) in [
            ("0 is not in 1..18446744073709551615", "expected 1 or more"),
            ("0 is not in 1..=4294967295", "expected 1 or more"),
            ("0 is not in 1..=100", "expected 1 to 100"),
            (
                "invalid digit found in string",
                "expected a whole number of at least 0",
            ),
            (
                "width and height must be above 0",
                "width and height must be above 0",
            ),
        ] {
            assert_eq!(reason(parser).as_deref(), Some(plain), "{parser}");
        }
    }

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

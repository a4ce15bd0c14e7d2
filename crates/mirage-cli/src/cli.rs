//! The command line as a whole.

use std::{num::NonZeroU16, process::ExitCode};

use clap::{
    Args, CommandFactory, Parser, Subcommand, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tracing_subscriber::EnvFilter;

use crate::{
    backends::BackendsArgs,
    bench::BenchArgs,
    completions::CompletionsArgs,
    doctor::DoctorArgs,
    error::{CliError, Result, print_error},
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
  mirage run                                        the built-in test scene to mirage-out.gif
  mirage run --passes sdpa,channels_last            the same, optimized, compared with the plain run
  mirage run in.mp4 out.mp4                         a video of yours (mp4 needs ffmpeg on PATH)
  mirage passes list                                what there is to try

Exit codes: 0 done; 1 the run failed; 2 the command line is wrong; 130 interrupted before any frame.";

/// Live-stream diffusion on video, with every optimization's cost on the table
#[derive(Debug, Parser)]
#[command(name = "mirage", version, after_help = AFTER_HELP, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Log to standard error: error, warn, info, debug, trace, or a filter such as
    /// `mirage_capture=debug,warn`; hides the progress bar
    #[arg(long, global = true, value_name = "LEVEL", env = "MIRAGE_LOG")]
    log: Option<String>,
    /// Colours; `auto` has them on a terminal unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,
    /// Threads that backends on the processor compute with; by default as many as there are
    /// processors, or what RAYON_NUM_THREADS (cpu) and OMP_NUM_THREADS (tch) say
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroU16>,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// When there are colours.
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
    /// What each pass buys, alone and among others: time, memory and error, with intervals
    Bench(Box<BenchArgs>),
    /// Find the fastest legal set of passes here, within a time and a bound on the error
    Tune(Box<TuneArgs>),
    /// Where the time of a frame goes: by operation, by layer, or node by node
    Profile(Box<ProfileArgs>),
    /// Whether backends compute what the graph says, under sets of passes and in each dtype
    Parity(ParityArgs),
    /// The optimization passes: what they do, need and take
    Passes(PassesArgs),
    /// The models: parameters, cost, sizes, state
    Models(ModelsArgs),
    /// The backends that are here, with their devices
    Backends(BackendsArgs),
    /// The plugins: from where, which version, what they bring, and why one was refused
    #[command(visible_alias = "plugin")]
    Plugins(PluginsArgs),
    /// The graph that a model becomes
    Graph(GraphArgs),
    /// What this machine and its backends can do, which passes help a model here, and why
    Doctor(Box<DoctorArgs>),
    /// A completion script for your shell, on standard output
    Completions(CompletionsArgs),
    /// The manual page, on standard output or in a folder
    Man(ManArgs),
}

impl Cli {
    /// Fixes the number of threads, if one is named. The first thing to call.
    pub(crate) fn use_threads(&self) {
        if let Some(threads) = self.global.threads {
            use_threads(threads);
        }
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Result<()> {
        self.global.apply()?;
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
    /// Whether the command asks for passes or backends. `plugins` loads them itself, to tell of them.
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
            print_error(&format!("{line} (see --help)"));
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
    mirage_suggest::nearest(wrong, commands).map(|near| format!("; did you mean `{near}`?"))
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

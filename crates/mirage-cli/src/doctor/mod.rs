//! `mirage doctor`.

mod alignment;
mod hardware;
mod show;

use std::time::Duration;

use clap::{Args, Subcommand};
use mirage_lab::doctor::examine;
use mirage_pass::Registry;

use self::alignment::AlignmentArgs;
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, Request, time},
    error::{Ending, Result},
    output::Stream,
    progress::{Console, Progress},
};

const EXAMPLES: &str = "\
Examples:
  mirage doctor                              the machine, and which passes help lsd-tiny
  mirage doctor --measure --model lsd-light  measure them too
  mirage doctor --json | jq '.passes[] | select(.expectation == \"may_help\").pass'
  mirage doctor alignment --model lsd-tiny   list channel counts that are not aligned";

/// Show what this machine and its backends can do, and which passes help a model here
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct DoctorArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    check: CheckArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List layers whose channel counts are not aligned for the hardware; exit with 1 if there are any
    Alignment(Box<AlignmentArgs>),
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Measure the machine's arithmetic and memory, the operations of each backend, and a frame with each
    /// pass
    #[arg(long)]
    measure: bool,
    /// Time budget for measuring frames, such as 20s or 2m
    #[arg(long, value_name = "TIME", default_value = "20s", requires = "measure", value_parser = time)]
    time: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    frame: FrameArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

impl DoctorArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        match &self.action {
            Some(Action::Alignment(args)) => args.run(),
            None => self.check.run(quiet_log),
        }
    }
}

impl CheckArgs {
    fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let job = Request::new(&self.model, &self.frame, None, &self.backend).resolve(&registry)?;
        let console = Console::new(Progress::new(quiet_log))?;
        let measure = self.measure.then_some(self.time);
        let report = examine(&job, &registry, measure, &console)?;
        match self.json {
            true => Stream::Stdout.emit_json(&report),
            false => {
                let text = show::page(&report, &self.model.model, self.measure);
                Stream::Stdout.emit(&text)
            }
        }
    }
}

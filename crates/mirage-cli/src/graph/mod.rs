//! `mirage graph`.

mod dump;
mod run;
mod show;
mod stable;

use clap::{Args, Subcommand};

use crate::{error::Result, files::Files};

const EXAMPLES: &str = "\
Examples:
  mirage graph dump --passes fp16,sdpa | less
  diff <(mirage graph dump --stable-ids) <(mirage graph dump --stable-ids --passes sdpa)
  mirage graph dump --forward --output step.txt && mirage graph run step.txt --passes sdpa,fuse";

/// Write the graph of a model, or run a graph from a file
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GraphArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the graph of a frame, before or after the passes
    Dump(Box<dump::DumpArgs>),
    /// Show inputs, outputs, operations and cost of a graph from a file
    Show(show::ShowArgs),
    /// Run a graph from a file, with any passes on any backend
    Run(Box<run::RunArgs>),
}

impl GraphArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        match &self.action {
            Action::Dump(args) => args.files(),
            Action::Show(_) => Files::default(),
            Action::Run(args) => args.files(),
        }
    }

    pub(crate) fn run(&self) -> Result<()> {
        match &self.action {
            Action::Dump(args) => args.run(),
            Action::Show(args) => args.run(),
            Action::Run(args) => args.run(),
        }
    }
}

//! The command line of `mirage bench`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mirage_lab::ledger::Worker;

use super::BenchCommand;
use crate::{
    args::{BackendArgs, FrameArgs, LimitsArgs, ModelArgs, PassArgs, percent, time},
    files::Files,
};

const EXAMPLES: &str = "\
Examples:
  mirage bench --passes sdpa,fuse,channels_last --time 60s
  mirage bench --passes sdpa --row mine=sdpa,merge_qkv --row yours=sdpa,fuse
  mirage bench --passes sdpa,fuse --model lsd-light --save before.json --html before.html
  mirage bench --passes sdpa,fuse --model lsd-light --compare before.json --fail-on-regression 5%
  mirage bench compare monday.json tuesday.json      compare saved ledgers without measuring
  mirage bench history ledgers --html history.html   chart saved ledgers over time

Rows: no passes; each pass alone; passes added one by one in pipeline order; all passes but one;
all passes; your own sets. Sets run in turn in one process, so that a change of the machine's
speed affects all of them. Intervals are 95 % bootstrap intervals of the ratio of medians.
docs/reference/ledger.md has the statistics and the fields.

Exit codes: 0 success; 1 a set failed or --fail-on-regression found a regression; 2 the command
line is wrong.";

/// Measure what each pass gains, alone and combined: time, memory and error, with intervals
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(super) command: Option<BenchCommand>,
    /// Time budget for measuring, including warm-up, such as 60s or 2m. Compiling and comparing pictures
    /// take additional time; an estimate of the total is printed first
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(super) time: Duration,
    /// Measure in N processes, one after the other, which share --time; intervals then include differences
    /// between processes, such as memory placement
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) processes: u16,
    /// Frames of the closed loop; the error is that of the last frame
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
    pub(super) frames: u16,
    /// Add a row with your own set of passes, such as mine=sdpa,fuse; repeatable
    #[arg(long, value_name = "LABEL=PASSES")]
    pub(super) row: Vec<String>,
    /// Compute each pass's Shapley share of the total gain, for up to 6 passes; measures every legal set
    #[arg(long)]
    pub(super) shapley: bool,
    /// Measure `none` a second time as a control row: its difference is noise
    #[arg(long)]
    pub(super) control: bool,
    /// Check the method: add a row of `none` that is slowed down by this many percent with busy work;
    /// repeatable
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) plant: Vec<f64>,
    /// Save the ledger, for a later --compare
    #[arg(long, value_name = "FILE.json")]
    pub(super) save: Option<PathBuf>,
    /// Compare with saved ledgers, row by row; repeatable
    #[arg(long, value_name = "FILE.json", num_args = 1..)]
    pub(super) compare: Vec<PathBuf>,
    /// With --compare: exit with 1 if the whole interval of a row is slower by more than this many percent
    #[arg(long, value_name = "PERCENT", requires = "compare", value_parser = percent)]
    pub(super) fail_on_regression: Option<f64>,
    /// Write the rows as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub(super) csv: Option<PathBuf>,
    /// Write an HTML page with charts
    #[arg(long, value_name = "FILE.html")]
    pub(super) html: Option<PathBuf>,
    /// Print the table as markdown
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
    /// Print the ledger as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// The task of this process for its parent process
    #[arg(long, hide = true, value_name = "WHAT")]
    pub(super) worker: Option<Worker>,
    #[command(flatten)]
    pub(super) frame: FrameArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    #[command(flatten)]
    pub(super) passes: PassArgs,
    #[command(flatten)]
    pub(super) backend: BackendArgs,
    #[command(flatten)]
    pub(super) limits: LimitsArgs,
}

impl BenchArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        match &self.command {
            Some(command) => command.files(),
            // A worker's parent has checked them, and reads its standard output.
            None if self.worker.is_some() => Files::default(),
            None => {
                let compared = self.compare.iter();
                compared
                    .fold(Files::default(), |files, file| {
                        files.reads("--compare", Some(file))
                    })
                    .and(self.model.files())
                    .and(self.passes.files())
                    .writes("--save", self.save.as_ref())
                    .writes("--csv", self.csv.as_ref())
                    .writes("--html", self.html.as_ref())
            }
        }
    }
}

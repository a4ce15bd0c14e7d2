//! The command line of `mirage bench`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mirage_lab::ledger::Worker;

use super::BenchCommand;
use crate::args::{BackendArgs, FrameArgs, LimitsArgs, ModelArgs, PassArgs, percent, time};

const EXAMPLES: &str = "\
Examples:
  mirage bench --passes sdpa,fuse,channels_last --time 60s
  mirage bench --passes sdpa --row mine=sdpa,merge_qkv --row yours=sdpa,fuse
  mirage bench --passes sdpa,fuse --model lsd-light --save before.json --html before.html
  mirage bench --passes sdpa,fuse --model lsd-light --compare before.json --fail-on-regression 5%
  mirage bench compare monday.json tuesday.json      saved ledgers, without measuring
  mirage bench history ledgers --html history.html   saved ledgers over time

Rows: none; each pass alone; the ladder in pipeline order; all but one; all; sets of your own. Sets run
in turn in one process, so that a drift of the machine's speed meets all; intervals are 95 % bootstrap
intervals of the ratio of medians. docs/reference/ledger.md has the statistics and the fields.

Exit codes: 0 done; 1 a set failed, or --fail-on-regression found one; 2 the command line is wrong.";

/// What each pass buys, alone and among others: time, memory and error, with intervals
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(super) command: Option<BenchCommand>,
    /// Time to measure, warm-up included: seconds, or 60s, 2m. To compile and to compare pictures comes on
    /// top; an estimate of the whole is printed before measuring
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub(super) time: Duration,
    /// Measure in so many processes, one after the other, which share the time: what differs from
    /// process to process, such as where memory lies, is then in the intervals
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(super) processes: u16,
    /// Frames of the closed loop whose last picture the error is of
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
    pub(super) frames: u16,
    /// A row with a set of passes of your own, such as mine=sdpa,fuse; can be repeated
    #[arg(long, value_name = "LABEL=PASSES")]
    pub(super) row: Vec<String>,
    /// Each pass's Shapley share of the whole gain, for up to 6 passes: measures every legal set
    #[arg(long)]
    pub(super) shapley: bool,
    /// Measure `none` a second time, as a row of its own: what it differs by is noise
    #[arg(long)]
    pub(super) control: bool,
    /// Check the method: a row of `none` that is made slower by so many percent with busy work; can be
    /// repeated
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) plant: Vec<f64>,
    /// Save the ledger, to compare with later
    #[arg(long, value_name = "FILE.json")]
    pub(super) save: Option<PathBuf>,
    /// Compare with saved ledgers, row by row; can be repeated
    #[arg(long, value_name = "FILE.json", num_args = 1..)]
    pub(super) compare: Vec<PathBuf>,
    /// With --compare: exit with 1 if a row is slower by more than so many percent with its whole
    /// interval
    #[arg(long, value_name = "PERCENT", requires = "compare", value_parser = percent)]
    pub(super) fail_on_regression: Option<f64>,
    /// Write the rows as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub(super) csv: Option<PathBuf>,
    /// Write a page with figures
    #[arg(long, value_name = "FILE.html")]
    pub(super) html: Option<PathBuf>,
    /// Print the table as markdown
    #[arg(long, conflicts_with = "json")]
    pub(super) markdown: bool,
    /// Print the ledger as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// What this process does for the one that started it
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

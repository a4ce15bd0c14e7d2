//! The command line of `mirage profile`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::RangedU64ValueParser, value_parser};
use mirage_bench::profile::Sort;

use crate::args::{BackendArgs, FrameArgs, LimitsArgs, ModelArgs, PassArgs};

/// The most frames of a profile: they are held in memory.
const MOST_FRAMES: u64 = 2000;

const AFTER_HELP: &str = "\
Every second frame is profiled, the others run plain between them, so that what profiling itself costs
is measured and printed. Times are means over the middle half of the frames, so that nodes and what is
between them add up to the frame. docs/reference/profile.md tells what every column is.

Examples:
  mirage profile --passes sdpa,fuse                       time by operation
  mirage profile --layers --depth 2                       the tree of layers, two levels of it
  mirage profile --by node --sort percent --top 20        the nodes farthest from the roofline
  mirage profile --html profile.html                      all of it as a page, with charts
  mirage profile --trace trace.json                       a live run, for ui.perfetto.dev
  mirage profile --backend cuda --reaches 750000,3000     against what a graphics card reaches";

/// Where the time of a frame goes: by operation, by layer, or node by node
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ProfileArgs {
    /// What nodes are summed up by
    #[arg(long, value_enum, default_value_t = Grouping::Op, conflicts_with = "layers")]
    pub(super) by: Grouping,
    /// Show the tree of layers by module path
    #[arg(long)]
    pub(super) layers: bool,
    /// Levels of the tree of layers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u8).range(1..))]
    pub(super) depth: u8,
    /// What comes first: the slowest, the most operations or bytes, the farthest from the roofline
    /// (percent), the most time above it (gap), the most memory alive, or names in order
    #[arg(long, value_enum, default_value_t = SortArg::Time)]
    pub(super) sort: SortArg,
    /// Rows that are printed; JSON and HTML have all. Of a tree, those of the most time
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = value_parser!(u32).range(1..))]
    pub(super) top: u32,
    /// Frames, of which every second is profiled
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(..=MOST_FRAMES))]
    pub(super) frames: usize,
    /// Frames left out at the start
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) warmup: usize,
    /// Do not measure what the machine reaches, which takes a second
    #[arg(long, conflicts_with = "reaches")]
    pub(super) no_roofline: bool,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// Write everything as one page, with the roofline and the memory timeline
    #[arg(long, value_name = "FILE.html", help_heading = "Output")]
    pub(super) html: Option<PathBuf>,
    /// Write the roofline plot as SVG
    #[arg(
        long,
        value_name = "FILE.svg",
        conflicts_with = "no_roofline",
        help_heading = "Output"
    )]
    pub(super) roofline: Option<PathBuf>,
    /// Write the memory timeline with what is alive at the peak, as data or as a chart
    #[arg(long, value_name = "FILE.json|FILE.svg", help_heading = "Output")]
    pub(super) memory: Option<PathBuf>,
    /// Write a short live run as a Chrome trace: decode, run, encode and every node, with memory
    #[arg(long, value_name = "FILE.json", help_heading = "Output")]
    pub(super) trace: Option<PathBuf>,
    /// Frames of the trace
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = value_parser!(u32).range(1..), help_heading = "Output")]
    pub(super) trace_frames: u32,
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

/// What nodes are summed up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Grouping {
    /// The operation or the kind of region
    Op,
    /// Nothing: each node alone
    Node,
}

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SortArg {
    Time,
    Flops,
    Bytes,
    Percent,
    Gap,
    Memory,
    Name,
}

impl SortArg {
    pub(super) fn sort(self) -> Sort {
        match self {
            SortArg::Time => Sort::Time,
            SortArg::Flops => Sort::Flops,
            SortArg::Bytes => Sort::Bytes,
            SortArg::Percent => Sort::Percent,
            SortArg::Gap => Sort::Gap,
            SortArg::Memory => Sort::Memory,
            SortArg::Name => Sort::Name,
        }
    }
}

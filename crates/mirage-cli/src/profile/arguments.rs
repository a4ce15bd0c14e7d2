//! The command line of `mirage profile`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::RangedU64ValueParser, value_parser};
use mirage_bench::profile::Sort;

use crate::{
    args::{BackendArgs, FrameArgs, LimitsArgs, ModelArgs, PassArgs},
    files::Files,
};

/// The maximum number of frames of a profile, which is held in memory.
const MOST_FRAMES: u64 = 2000;

const AFTER_HELP: &str = "\
Profiles every second frame and runs the others without profiling, to measure the overhead of
profiling itself. Times are means over the middle half of the frames, so that the times of nodes
and of the gaps between them add up to the frame. docs/reference/profile.md explains every column.

Examples:
  mirage profile --passes sdpa,fuse                       time by operation
  mirage profile --layers --depth 2                       two levels of the tree of layers
  mirage profile --by node --sort percent --top 20        nodes, farthest from the roofline first
  mirage profile --html profile.html                      everything as a page with charts
  mirage profile --trace trace.json                       a live run, for ui.perfetto.dev
  mirage profile --backend cuda --peak 750000,3000        a graphics card's peak performance";

/// Show where the time of a frame goes: by operation, by layer or by node
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct ProfileArgs {
    /// Group nodes by operation, or list each node
    #[arg(long, value_enum, default_value_t = Grouping::Op, conflicts_with = "layers")]
    pub(super) by: Grouping,
    /// Group nodes by layer, as a tree of module paths
    #[arg(long)]
    pub(super) layers: bool,
    /// Levels of the tree of --layers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u8).range(1..))]
    pub(super) depth: u8,
    /// Sort by time, operations (flops), bytes, distance from the roofline (percent), time above the
    /// roofline (gap), memory alive, or name
    #[arg(long, value_enum, default_value_t = SortArg::Time)]
    pub(super) sort: SortArg,
    /// Number of rows to print; JSON and HTML have all. With --layers, the slowest layers
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = value_parser!(u32).range(1..))]
    pub(super) top: u32,
    /// Number of frames; every second one is profiled
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(..=MOST_FRAMES))]
    pub(super) frames: usize,
    /// Exclude the first N frames
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(super) warmup: usize,
    /// Do not measure the peak performance of the machine, which takes a second
    #[arg(long, conflicts_with = "peak")]
    pub(super) no_roofline: bool,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,
    /// Write everything as an HTML page, including the roofline plot and the memory timeline
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
    /// Write the memory timeline and the values alive at the peak, as JSON or as a chart
    #[arg(long, value_name = "FILE.json|FILE.svg", help_heading = "Output")]
    pub(super) memory: Option<PathBuf>,
    /// Write a Chrome trace of a short live run: decode, run, encode, every node and memory
    #[arg(long, value_name = "FILE.json", help_heading = "Output")]
    pub(super) trace: Option<PathBuf>,
    /// Number of frames in the trace
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

/// Grouping of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Grouping {
    /// By operation or kind of region
    Op,
    /// Every node by itself
    Node,
}

/// Sort order of rows.
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

impl ProfileArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        Files::default()
            .and(self.model.files())
            .and(self.passes.files())
            .writes("--html", self.html.as_ref())
            .writes("--roofline", self.roofline.as_ref())
            .writes("--memory", self.memory.as_ref())
            .writes("--trace", self.trace.as_ref())
    }
}

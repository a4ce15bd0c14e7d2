//! `mirage graph dump`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use mirage_capture::Captured;
use mirage_ir::{Graph, wire};
use mirage_pass::{Manager, Registry};
use mirage_stream::{SamplerConfig, capture_forward};

use super::stable::stable;
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, PassArgs, Request, SizeArg},
    error::{CliError, Ending, Result},
    file::AtomicFile,
    files::Files,
};

const EXAMPLES: &str = "\
Examples:
  mirage graph dump --passes fp16,sdpa | less
  mirage graph dump --stage before --forward --output step.txt
  diff <(mirage graph dump --stable-ids) <(mirage graph dump --stable-ids --passes sdpa)";

/// Point in the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// As captured, before any pass
    Before,
    /// After the last pass
    After,
}

/// Format of the written graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text, for reading and diffs
    Text,
    /// Wire form (MessagePack), for plugins
    Wire,
}

/// Write the graph of a frame, before or after the passes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct DumpArgs {
    /// Which graph to write
    #[arg(long, value_enum, default_value_t = Stage::After)]
    stage: Stage,
    /// Write only the forward pass of the model, not a whole frame with its sampler
    #[arg(long)]
    forward: bool,
    /// The size of a frame in the model [default: the model's]
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Denoising steps per frame, 1 to 50
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps, conflicts_with = "forward")]
    steps: usize,
    /// Write the graph to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Format to write
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Name values by the path and operation of their node instead of numbering them, so that a diff of
    /// two dumps shows only the rewrites. Such a text cannot be parsed back
    #[arg(long)]
    stable_ids: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

impl DumpArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .and(self.model.files())
            .and(self.passes.files())
            .writes("--output", self.output.as_ref())
    }

    pub(super) fn run(&self) -> Result<()> {
        if self.stable_ids && self.format != Format::Text {
            return Err(CliError::usage(
                "--stable-ids cannot be used with --format wire; use --format text",
            ));
        }
        let registry = Registry::linked().failure()?;
        let frame = FrameArgs {
            size: self.size,
            steps: self.steps,
        };
        let passes = Some(&self.passes);
        let job = Request::new(&self.model, &frame, passes, &self.backend).resolve(&registry)?;
        let output = self.output.as_deref().unwrap_or(Path::new("-"));
        let file = match self.format {
            Format::Text => AtomicFile::create(output)?,
            Format::Wire => AtomicFile::create_binary(output)?,
        };

        let Captured { mut graph, .. } = match self.forward {
            true => capture_forward(&job.model()?, 1, job.size).failure()?,
            false => job.capture()?.0,
        };
        if self.stage == Stage::After {
            graph = Manager::new()
                .run(&job.plan, &graph, &job.capabilities())
                .failure()?
                .0;
        }
        file.finish(&self.format.write(&graph, self.stable_ids))
    }
}

impl Format {
    fn write(self, graph: &Graph, stable_ids: bool) -> Vec<u8> {
        match self {
            Format::Text if stable_ids => stable(&graph.to_string()).into_bytes(),
            Format::Text => graph.to_string().into_bytes(),
            Format::Wire => wire::encode(graph),
        }
    }
}

//! `mirage tune`.

mod show;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use mirage_lab::tune::{Bound, Report, TuneOptions, tune};
use mirage_pass::Registry;

use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, Request, time},
    error::{Ending, Result},
    file::AtomicFile,
    files::Files,
    output::Stream,
    progress::{Console, Progress},
};

const EXAMPLES: &str = "\
Examples:
  mirage tune --model lsd-light --budget 2m
  mirage tune --model lsd-light --max-error 'psnr>=40' --output tuned.toml
  mirage run --model lsd-light --pipeline tuned.toml

Measures the named pipelines (mirage passes pipelines) first, then variants of the best set with
one pass or option added or removed, until the time budget is used up. Sets whose whole interval
is slower are dropped. At the end the best set is compared with every named pipeline again,
alternating frames. The budget includes building the model and compiling.
docs/reference/tune.md has the method.";

/// Find the fastest set of passes on this machine, within a time budget and an error bound
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TuneArgs {
    /// Time budget for everything, such as 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = time)]
    budget: Duration,
    /// Error bound against f32 without passes, for a single frame and for the closed loop: `psnr>=40` (dB)
    /// or `rel<=1e-2` (relative L2)
    #[arg(long, value_name = "BOUND")]
    max_error: Option<Bound>,
    /// Frames of the closed loop; the error is that of the last frame
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
    frames: u16,
    /// Write the best set to a pipeline file for --pipeline
    #[arg(long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
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

impl TuneArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        self.model.files().writes("--output", self.output.as_ref())
    }

    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let job = Request::new(&self.model, &self.frame, None, &self.backend).resolve(&registry)?;
        let output = self.output.as_deref().map(AtomicFile::create).transpose()?;
        let console = Console::new(Progress::new(quiet_log))?;
        let options = TuneOptions {
            budget: self.budget,
            max_error: self.max_error,
            frames: usize::from(self.frames),
        };
        let tuned = tune(&job, &registry, &options, &console)?;
        if let Some(file) = output {
            file.finish(tuned.to_toml().as_bytes())?;
        }
        self.tell(&tuned.report)
    }

    fn tell(&self, report: &Report) -> Result<()> {
        if self.json {
            return Stream::Stdout.emit_json(report);
        }
        let setting = &report.setting;
        let [_, _, height, width] = setting.shape;
        let mut out = format!(
            "{} at {width}x{height} on {} ({}){}\n\n{}",
            setting.model,
            setting.backend,
            setting.machine.device,
            match &setting.max_error {
                Some(bound) => format!(", {bound}"),
                None => String::new(),
            },
            show::table(report)
        );
        if let Some(path) = self.output.as_ref().filter(|path| *path != Path::new("-")) {
            out.push_str(&format!(
                "\nmirage run --model {} --pipeline {}\n",
                self.model.model,
                path.display()
            ));
        }
        Stream::Stdout.emit(&out)
    }
}

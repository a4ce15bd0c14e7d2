//! `mirage tune`.

mod show;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mirage_lab::tune::{Bound, Report, TuneOptions, tune};
use mirage_pass::Registry;

use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, Request, time},
    error::{Ending, Result},
    file::WholeFile,
    output::Stream,
    progress::{Console, Progress},
};

const EXAMPLES: &str = "\
Examples:
  mirage tune --model lsd-light --budget 2m
  mirage tune --model lsd-light --max-error 'psnr>=40' --output tuned.toml
  mirage run --model lsd-light --pipeline tuned.toml

The named sets (mirage passes pipelines) come first, then the best so far with one pass or option more or
less, for as long as there is time; who is wholly slower leaves. At the end the best is compared with
every named set once more, frames in turn. The budget includes building the model and compiling.
docs/reference/tune.md tells how it decides.";

/// Find the fastest legal set of passes here, by measurement, within a time and a bound on the error
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TuneArgs {
    /// The time for everything: seconds, or with a unit, such as 90s or 2m
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = time)]
    budget: Duration,
    /// The most error against f32 without passes, of a frame and of the closed loop: `psnr>=40` in dB or
    /// `rel<=1e-2`, relative L2
    #[arg(long, value_name = "BOUND")]
    max_error: Option<Bound>,
    /// Frames of the closed loop whose last picture the error is of
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
    frames: u16,
    /// Write the best set to a pipeline file, which --pipeline takes
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
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let job = Request::new(&self.model, &self.frame, None, &self.backend).resolve(&registry)?;
        let output = self.output.as_deref().map(WholeFile::create).transpose()?;
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
        if let Some(path) = &self.output {
            out.push_str(&format!(
                "\nmirage run --model {} --pipeline {}\n",
                self.model.model,
                path.display()
            ));
        }
        Stream::Stdout.emit(&out)
    }
}

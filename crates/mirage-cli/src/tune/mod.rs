//! `mirage tune`.

mod bound;
mod budget;
mod candidates;
mod report;
mod search;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use mirage_bench::machine::Watch;
use mirage_pass::Registry;
use mirage_stream::{Machine, capture_frame};

use self::{
    bound::Bound,
    budget::Budget,
    report::{Report, Setting},
    search::Search,
};
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, time},
    error::{Ending, Result},
    file::WholeFile,
    interrupt::stop_on_interrupt,
    output::Stream,
    progress::Progress,
    subjects::Bench,
};

const EXAMPLES: &str = "\
Examples:
  mirage tune --model lsd-light --budget 2m
  mirage tune --model lsd-light --max-error 'psnr>=40' --output tuned.toml
  mirage run --model lsd-light --pipeline tuned.toml

The named sets (mirage passes pipelines) come first, then the best so far with one pass or option more or
less, for as long as there is time; who is wholly slower leaves. At the end the best is compared with
every named set once more, frames in turn. The budget includes building the model and compiling.
docs/tuning.md tells how it decides.";

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
        let budget = Budget::begin(self.budget);
        let config = self.model.config()?;
        let (size, trajectory) = self.frame.resolve(&config)?;
        let registry = Registry::linked().failure()?;
        let backend = self.backend.resolve()?;
        let output = self.output.as_deref().map(WholeFile::create).transpose()?;
        let stop = stop_on_interrupt()?;
        let stage = Progress::new(quiet_log).timed("tuning", self.budget);
        let watch = Watch::start();

        let model = self.model.build(&config)?;
        let trained = model.is_trained();
        let captured = capture_frame(&model, size, &trajectory).failure()?;
        drop(model);
        let bench = Bench {
            size,
            captured: &captured,
            backend,
            options: self.backend.options(),
            seed: self.model.seed,
            frames: usize::from(self.frames),
        };
        let found = Search {
            bench: &bench,
            scene: bench.scene()?,
            registry: &registry,
            capabilities: backend.capabilities(self.backend.device),
            bound: self.max_error,
            budget,
            stage: &stage,
            stop: &stop,
            seed: self.model.seed,
        }
        .run()?;
        drop(stage);

        let info = backend.info();
        let setting = Setting {
            mirage: env!("CARGO_PKG_VERSION"),
            machine: Machine::of(backend, self.backend.device),
            backend: info.name,
            engine: info.engine,
            model: config.name.clone(),
            trained,
            shape: [1, 3, size.height, size.width],
            steps: self.frame.steps,
            frames: usize::from(self.frames),
            seed: self.model.seed,
            max_error: self.max_error.map(|bound| bound.to_string()),
            budget_s: self.budget.as_secs_f64(),
        };
        let elapsed = budget.elapsed().as_secs_f64();
        let report = Report::of(&found, setting, elapsed, watch.finish().warnings());
        if let Some(file) = output {
            let spec = &found.entries[found.choice].spec;
            file.finish(format!("{}{}", head(&report), spec.to_toml()).as_bytes())?;
        }
        self.tell(&report)
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
            report.table()
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

/// The comment at the head of a pipeline file: what it is for.
fn head(report: &Report) -> String {
    let setting = &report.setting;
    let [_, _, height, width] = setting.shape;
    let mut lines = vec![
        format!(
            "Found by mirage tune {} for {} at {width}x{height}, steps {}.",
            setting.mirage, setting.model, setting.steps
        ),
        format!(
            "Backend {} ({}) on {}, {}.",
            setting.backend, setting.engine, setting.machine.device, setting.machine.details
        ),
    ];
    if let Some(bound) = &setting.max_error {
        lines.push(format!("Error against f32 without passes: {bound}."));
    }
    if let Some(gain) = report.gain() {
        lines.push(format!("Against no passes: {gain}."));
    }
    let comment = |line: String| format!("# {}\n", line.replace(['\n', '\r'], " "));
    lines.into_iter().map(comment).collect()
}

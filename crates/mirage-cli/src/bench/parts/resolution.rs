//! `mirage bench resolution`.

use std::time::Duration;

use clap::Args;
use mirage_bench::measure::MonotonicClock;
use mirage_lab::ids::model_id;
use mirage_lab::sweep::{
    Outcome, Setting, Sides,
    resolution::{FORMAT, ResolutionReport, SCHEMA, sweep},
};
use mirage_machine::Watch;
use mirage_model::Size;
use mirage_pass::Registry;
use mirage_stream::SamplerConfig;

use super::{flow, ladder::Ladder, left, outputs::OutputArgs, warnings};
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, PassArgs, Request, time},
    bench::columns,
    error::{CliError, Ending, Result},
    files::Files,
    interrupt::stop_on_interrupt,
    progress::Progress,
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage bench resolution --model lsd-tiny --passes sdpa,fuse
  mirage bench resolution --model stress --sides 64..512,96 --time 5m --save growth.json

Compiles and measures square frames from the smallest to the largest. Stops at the first side that
would not fit into memory (by an estimate) or into the remaining time, and says so. The exponent
is the slope of the least-squares line through the logarithms of pixels and times.
docs/expert/measuring-parts.md has the method and the fields.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ResolutionArgs {
    /// Sides of the frame in pixels; A..B doubles from A to B
    #[arg(long, value_name = "SIZES", default_value = "64..1024")]
    sides: Ladder,
    /// Time budget for all sides
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    time: Duration,
    /// Denoising steps per frame, 1 to 50
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps)]
    steps: usize,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

impl ResolutionArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .and(self.model.files())
            .and(self.passes.files())
            .and(self.output.files())
    }

    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let frame = FrameArgs {
            size: None,
            steps: self.steps,
        };
        let passes = Some(&self.passes);
        let job = Request::new(&self.model, &frame, passes, &self.backend).resolve(&registry)?;
        for &side in &self.sides.0 {
            job.config.validate_size(square(side)).usage()?;
        }
        let outputs = self.output.begin()?;
        let progress = Progress::new(quiet_log);

        let stage = progress.timed(format!("preparing {}", job.config.name), self.time);
        let sides = Sides::new(job.clone())?;
        let (stop, machine) = (stop_on_interrupt()?, Watch::start());
        let found = sweep(
            &self.sides.0,
            self.time,
            job.seed,
            &MonotonicClock::default(),
            &mut |side| sides.build(side),
            &mut |at| {
                let time = left(self.time.saturating_sub(at.elapsed));
                stage.at(at.elapsed, format!("{0}x{0}, {time}", at.side));
                flow(&stop)
            },
        );
        drop(stage);
        let report = ResolutionReport {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting: Setting {
                elapsed_s: found.elapsed.as_secs_f64(),
                stopped: found.stopped,
                warnings: machine.finish().warnings(),
                ..Setting::of(job.backend, job.device, job.seed, self.time)
            },
            model: model_id(&job, sides.model()),
            steps: job.sampler.steps,
            passes: job.asked.to_string(),
            time_growth: found.time_growth,
            flops_growth: found.flops_growth,
            rows: found.rows,
        };
        outputs.tell(&report, &report.table(), text(&report))?;
        ending(&report)
    }
}

fn square(side: usize) -> Size {
    Size {
        width: side,
        height: side,
    }
}

fn text(report: &ResolutionReport) -> String {
    let keys: &[&str] = &[
        "side",
        "p50_ms",
        "low_ms",
        "high_ms",
        "fps",
        "exponent",
        "gflop",
        "gflops",
        "planned_peak_mb",
        "held_mb",
        "outcome",
    ];
    let table = report.table().without_empty_columns();
    let passes = match report.passes.as_str() {
        "" => "no passes",
        passes => passes,
    };
    let growth = report
        .growth()
        .map_or_else(String::new, |g| format!("\n{g}\n"));
    format!(
        "{}, {} per frame, {passes}, on {} ({})\n\n{}{growth}{}",
        report.model.name,
        units::plural(report.steps as u64, "step"),
        report.setting.backend.name,
        report.setting.machine.device,
        columns(&table, keys),
        warnings(&report.setting),
    )
}

/// Returns an error if a side failed or none was measured.
fn ending(report: &ResolutionReport) -> Result<()> {
    let nothing = report.rows.iter().all(|r| r.times.is_none());
    if nothing && report.setting.stopped {
        return Err(super::interrupted());
    }
    for row in &report.rows {
        if let Outcome::Failed(why) = &row.outcome {
            return Err(CliError::failure(format!(
                "{0}x{0} failed: {why}",
                row.side
            )));
        }
    }
    match nothing {
        true => Err(CliError::failure(format!(
            "nothing was measured: {}",
            report
                .rows
                .first()
                .and_then(|r| r.outcome.reason())
                .unwrap_or("no sides were given")
        ))),
        false => Ok(()),
    }
}

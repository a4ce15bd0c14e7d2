//! `mirage bench resolution`.

use std::time::Duration;

use clap::Args;
use mirage_bench::measure::{MonotonicClock, Subject};
use mirage_ir::cost::graph_cost;
use mirage_machine::Watch;
use mirage_model::{AnyModel, ModelConfig, Size, parameter_count};
use mirage_pass::{Manager, Plan, Registry};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, Trajectory, capture_frame, prepare};
use mirage_sweep::{
    Outcome, memory,
    resolution::{Built, FORMAT, Facts, Found, ResolutionReport, SCHEMA, sweep},
};
use mirage_video::Frame;

use super::{flow, ladder::Ladder, left, outputs::OutputArgs, setting, warnings};
use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, time, trajectory},
    bench::columns,
    error::{CliError, Ending, Result},
    interrupt::stop_on_interrupt,
    progress::Progress,
    scene::scene,
    subjects::model_id,
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage bench resolution --model lsd-tiny --passes sdpa,fuse
  mirage bench resolution --model stress --sides 64..512,96 --time 5m --save growth.json

Square frames, from the smallest to the largest, each compiled and measured by itself. It stops where
memory, by an estimate before a side is compiled, or the time given ends, and says so. The exponent is the
slope of the least-squares line through the logarithms of pixels and times. docs/benchmarks.md has the
method and the fields.";

/// Frames of the scene that a side runs over and over.
const FRAMES: usize = 4;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ResolutionArgs {
    /// Sides of the frame in pixels; A..B doubles from A to B
    #[arg(long, value_name = "SIZES", default_value = "64..1024")]
    sides: Ladder,
    /// Time for all sides
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    time: Duration,
    /// Denoising steps a frame
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

/// What all sides share.
struct Job<'a> {
    args: &'a ResolutionArgs,
    config: ModelConfig,
    model: AnyModel,
    /// The same network without its weights, to estimate with.
    outline: AnyModel,
    trajectory: Trajectory,
    plan: Plan,
    backend: &'static dyn mirage_backend::Backend,
}

impl ResolutionArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let config = self.model.config()?;
        for &side in &self.sides.0 {
            config.validate_size(square(side)).usage()?;
        }
        let trajectory = trajectory(self.steps, &config)?;
        let plan = self.passes.plan(&Registry::linked().failure()?)?;
        let backend = self.backend.resolve()?;
        let outputs = self.output.begin()?;
        let progress = Progress::new(quiet_log);

        let stage = progress.timed(format!("preparing {}", config.name), self.time);
        let job = Job {
            args: self,
            model: self.model.build(&config)?,
            outline: self.model.outline(&config)?,
            config,
            trajectory,
            plan,
            backend,
        };
        let (stop, machine) = (stop_on_interrupt()?, Watch::start());
        let (clock, seed) = (MonotonicClock::default(), self.model.seed);
        let found = sweep(
            &self.sides.0,
            self.time,
            seed,
            &clock,
            &mut |side| job.build(side),
            &mut |at| {
                let time = left(self.time.saturating_sub(at.elapsed));
                stage.at(at.elapsed, format!("{0}x{0}, {time}", at.side));
                flow(&stop)
            },
        );
        drop(stage);
        let mut report = job.report(found)?;
        report.setting.warnings = machine.finish().warnings();
        outputs.tell(&report, &report.table(), job.text(&report))?;
        ending(&report)
    }
}

fn square(side: usize) -> Size {
    Size {
        width: side,
        height: side,
    }
}

impl Job<'_> {
    /// The program of a side, unless it would not fit memory.
    fn build(&self, side: usize) -> std::result::Result<Built, Outcome> {
        let failed = |e: &dyn std::fmt::Display| Outcome::Failed(e.to_string());
        let size = square(side);
        let capabilities = self.backend.capabilities(self.args.backend.device);
        let outline =
            capture_frame(&self.outline, size, &self.trajectory).map_err(|e| failed(&e))?;
        let (graph, _) = Manager::new()
            .run(&self.plan, &outline.graph, &capabilities)
            .map_err(|e| failed(&e))?;
        memory::fits(memory::needed(&graph), None).map_err(Outcome::Skipped)?;
        drop((outline, graph));

        let captured = capture_frame(&self.model, size, &self.trajectory);
        let captured = captured.map_err(|e| failed(&e))?;
        let prepared = prepare(
            &captured,
            &self.plan,
            &mut Manager::new(),
            self.backend,
            &self.args.backend.options(),
        )
        .map_err(|e| failed(&e))?;
        let (cost, held) = (graph_cost(&prepared.graph), prepared.executable.memory());
        let facts = Facts {
            flops: cost.flops,
            bytes: cost.bytes,
            weight_bytes: held.weight_bytes,
            planned_peak_bytes: held.planned_peak_bytes,
            held_bytes: held.held_bytes,
            compile_ms: prepared.compile_time.as_secs_f64() * 1e3,
        };
        let seed = self.args.model.seed;
        let session =
            Session::new(prepared.executable, seed, NoisePolicy::Fixed).map_err(|e| failed(&e))?;
        let scene = scene(FRAMES, session.size(), seed).map_err(|e| failed(&e))?;
        Ok(Built {
            frame: Box::new(Stream {
                session,
                scene,
                next: 0,
            }),
            facts,
        })
    }

    fn report(&self, found: Found) -> Result<ResolutionReport> {
        let args = self.args;
        let mut setting = setting(&args.backend, self.backend, args.model.seed, args.time);
        setting.elapsed_s = found.elapsed.as_secs_f64();
        setting.stopped = found.stopped;
        Ok(ResolutionReport {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting,
            model: model_id(
                &self.config,
                parameter_count(&self.model),
                self.model.is_trained(),
            ),
            steps: args.steps,
            passes: args.passes.spec()?.to_string(),
            time_growth: found.time_growth,
            flops_growth: found.flops_growth,
            rows: found.rows,
        })
    }

    fn text(&self, report: &ResolutionReport) -> String {
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
            "{}, {} a frame, {passes}, on {} ({})\n\n{}{growth}{}",
            report.model.name,
            units::plural(report.steps as u64, "step"),
            report.setting.backend.name,
            report.setting.machine.device,
            columns(&table, keys),
            warnings(&report.setting),
        )
    }
}

/// A stream that runs frames of the scene over and over.
struct Stream {
    session: Session,
    scene: Vec<Frame>,
    next: usize,
}

impl Subject for Stream {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let frame = &self.scene[self.next];
        self.next = (self.next + 1) % self.scene.len();
        let time = self.session.run(&mut frame.clone());
        time.map_err(|e| e.to_string())
    }
}

/// An error if a side failed or none was measured; the rows say the rest.
fn ending(report: &ResolutionReport) -> Result<()> {
    let nothing = report.rows.iter().all(|r| r.times.is_none());
    if nothing && report.setting.stopped {
        return Err(super::interrupted());
    }
    for row in &report.rows {
        if let Outcome::Failed(why) = &row.outcome {
            return Err(CliError::Failure(format!(
                "{0}x{0} failed: {why}",
                row.side
            )));
        }
    }
    match nothing {
        true => Err(CliError::Failure(format!(
            "nothing was measured: {}",
            report
                .rows
                .first()
                .and_then(|r| r.outcome.reason())
                .unwrap_or("there is no side")
        ))),
        false => Ok(()),
    }
}

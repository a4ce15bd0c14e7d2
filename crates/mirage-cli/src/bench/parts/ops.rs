//! `mirage bench ops`.

use std::{collections::BTreeSet, time::Duration};

use clap::{Args, ValueEnum};
use mirage_bench::measure::{MeasureError, MeasureOptions, MonotonicClock};
use mirage_ir::Graph;
use mirage_lab::ids::model_id;
use mirage_lab::sweep::{
    Outcome, Program, Rotation, Setting, Work, distinct, memory,
    ops::{FORMAT, OpsError, OpsMeasurement, OpsOptions, OpsReport, SCHEMA, SortBy, measure_ops},
};
use mirage_machine::{Machine, Watch};
use mirage_model::Size;
use mirage_pass::{Manager, Registry};

use super::{flow, left, outputs::OutputArgs, warnings};
use crate::{
    args::{BackendArgs, FrameArgs, LimitsArgs, ModelArgs, PassArgs, Request, time},
    bench::columns,
    error::{CliError, Ending, Result},
    files::Files,
    interrupt::stop_on_interrupt,
    progress::Progress,
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage bench ops --model lsd-light --passes sdpa,fuse
  mirage bench ops --op conv,attention --sort gflops --top 10
  mirage bench ops --op all --passes fp16 --save ops.json --csv ops.csv

Compiles each distinct operation with its shapes to a program of its own, and runs them in turn
with the whole frame. Values that depend only on parameters are computed once, at compile time, as
in the frame. Inputs rotate among sets that together are twice as large as the last-level cache;
weights do not. The share of the frame that the rows cover is printed.
docs/expert/measuring-parts.md has the method and the fields.";

/// The default maximum size of the input sets.
const MAX_ROTATION: u64 = 64 << 20;

/// The size of the cache if the system does not report it.
const USUAL_CACHE: u64 = 32 << 20;

/// Every operation.
const ALL: &str = "all";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OpsArgs {
    /// Operations and kinds of regions to measure, such as conv,attention; `all` for everything but views
    /// [default: convolutions, matrix products, attention, norms and regions]
    #[arg(long = "op", value_name = "OPS", value_delimiter = ',')]
    ops: Vec<String>,
    /// Sort order of the rows; rates are sorted from the slowest
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    sort: Sort,
    /// Number of rows to print; files, JSON and markdown have all
    #[arg(long, value_name = "N", default_value_t = 25)]
    top: usize,
    /// Time budget for measuring, including warm-up
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    time: Duration,
    /// Total size of an operation's input sets in megabytes, 0 for one set [default: twice the last-level
    /// cache, at most 64 MiB]
    #[arg(long, value_name = "MB")]
    rotate: Option<u16>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    frame: FrameArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    limits: LimitsArgs,
}

/// Sort order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    /// Total time in a frame
    Total,
    /// Time of one execution
    Time,
    /// Number of executions per frame
    Count,
    /// Floating-point operations per second
    Gflops,
    /// Bytes per second
    Gbytes,
    /// Percent of the roofline
    Roofline,
    /// Name of the operation
    Name,
}

impl OpsArgs {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        Files::default()
            .and(self.model.files())
            .and(self.passes.files())
            .and(self.output.files())
    }

    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let registry = Registry::linked().failure()?;
        let passes = Some(&self.passes);
        let job =
            Request::new(&self.model, &self.frame, passes, &self.backend).resolve(&registry)?;
        let outputs = self.output.begin()?;
        let progress = Progress::new(quiet_log);

        let stage = progress.stage(format!("preparing {}", job.config.name));
        let (captured, model) = job.capture()?;
        let (graph, _) = Manager::new()
            .run(&job.plan, &captured.graph, &job.capabilities())
            .failure()?;
        let works = self.chosen(&graph)?;
        memory::fits(memory::needed(&graph), None).map_err(CliError::failure)?;
        let compile = job.options();
        let one = Rotation::of(&graph, 0, 0);
        let (seed, backend) = (job.seed, job.backend);
        let mut frame =
            Program::new(&graph, &captured.params, one, seed, backend, &compile).failure()?;
        drop((stage, captured));

        let stage = progress.stage("measuring the machine");
        let mut setting = Setting::of(backend, job.device, seed, self.time);
        let roofline = self.limits.roofline(&setting.machine.device);
        setting.machine.roofline = roofline.ok();
        drop(stage);
        let options = OpsOptions {
            backend,
            compile,
            attrs: graph.attrs(),
            rotate_bytes: self.rotate_bytes(),
            cache_bytes: largest_cache(),
            roofline: setting.machine.roofline,
            measure: MeasureOptions {
                budget: self.time,
                seed,
                ..MeasureOptions::default()
            },
        };
        let stage = progress.timed(format!("measuring {} operations", works.len()), self.time);
        let stop = stop_on_interrupt()?;
        let (clock, machine) = (MonotonicClock::default(), Watch::start());
        let found = measure_ops(&works, &mut frame, &options, &clock, &mut |at| {
            stage.at(at.elapsed, left(at.left));
            flow(&stop)
        });
        drop(stage);
        setting.warnings = machine.finish().warnings();
        let OpsMeasurement {
            frame,
            rows,
            elapsed,
            stopped,
        } = found.map_err(|e| self.no_result(&e, works.len()))?;
        setting.elapsed_s = elapsed.as_secs_f64();
        setting.stopped = stopped;
        let mut report = OpsReport {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting,
            model: model_id(&job, model),
            shape: job.shape(),
            steps: job.sampler.steps,
            passes: job.asked.to_string(),
            frame,
            rows,
        };
        report.sort(self.sort.by());
        outputs.tell(&report, &report.table(), self.text(&report, job.size))?;
        failures(&report)
    }

    /// Returns the requested operations.
    fn chosen(&self, graph: &Graph) -> Result<Vec<Work>> {
        let works = distinct(graph);
        let named = |work: &Work, op: &str| {
            let name = work.name();
            op == ALL || name == op || name.strip_prefix("region:") == Some(op)
        };
        for op in &self.ops {
            if !works.iter().any(|work| named(work, op)) {
                let known: BTreeSet<String> = works.iter().map(Work::name).collect();
                let known: Vec<String> = known.into_iter().collect();
                return Err(CliError::usage(format!(
                    "--op {op}: the graph has no such operation; it has {}; use `{ALL}` for every operation",
                    known.join(", ")
                )));
            }
        }
        let wanted = |work: &Work| match self.ops.is_empty() {
            true => work.is_main(),
            false => self.ops.iter().any(|op| named(work, op)),
        };
        Ok(works.into_iter().filter(wanted).collect())
    }

    fn rotate_bytes(&self) -> u64 {
        match self.rotate {
            Some(megabytes) => u64::from(megabytes) * 1_000_000,
            None => (2 * largest_cache()).min(MAX_ROTATION),
        }
    }

    fn no_result(&self, error: &OpsError, count: usize) -> CliError {
        if let OpsError::Measure(MeasureError::Stopped) = error {
            return super::interrupted();
        }
        CliError::failure(match error {
            OpsError::Measure(MeasureError::NoTime { round, .. }) => format!(
                "--time {:.1?} is too short: one round of {count} operations and the frame takes about {round:.1?}, plus as much for warm-up; use a longer --time or fewer operations with --op",
                self.time
            ),
            other => other.to_string(),
        })
    }

    fn text(&self, report: &OpsReport, size: Size) -> String {
        let table = report.table();
        let keys: &[&str] = &[
            "op",
            "brief",
            "count",
            "p50_ms",
            "total_ms",
            "share_percent",
            "gflops",
            "roofline_percent",
            "outcome",
        ];
        let mut shown = table.without_empty_columns();
        let all = shown.rows.len();
        shown.rows.truncate(self.top);
        let more = match all.saturating_sub(self.top) {
            0 => String::new(),
            n => format!("{n} more rows (use --top {all} to show all)\n"),
        };
        let passes = match report.passes.as_str() {
            "" => "no passes",
            passes => passes,
        };
        format!(
            "{} at {}x{}, {} per frame, {passes}, on {} ({})\n\n{}{more}\na frame takes {}; the operations in all rows, times their counts, take {:.0} % of it\n{}",
            report.model.name,
            size.width,
            size.height,
            units::plural(self.frame.steps as u64, "step"),
            report.setting.backend.name,
            report.setting.machine.device,
            columns(&shown, keys),
            units::milliseconds(report.frame.p50_ms),
            100.0 * report.covered(),
            warnings(&report.setting),
        )
    }
}

/// Returns the size of the largest cache in bytes.
fn largest_cache() -> u64 {
    let caches = Machine::here().caches;
    let largest = caches.iter().map(|c| c.bytes).max();
    largest.unwrap_or(USUAL_CACHE)
}

/// Returns an error if rows failed, after the others have been printed.
fn failures(report: &OpsReport) -> Result<()> {
    let failed: Vec<String> = report
        .rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Failed(why) => Some(format!("{} of {}: {why}", row.op, row.shapes)),
            _ => None,
        })
        .collect();
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(CliError::failure(format!(
            "{} failed: {first}",
            units::plural(failed.len() as u64, "operation")
        ))),
    }
}

impl Sort {
    fn by(self) -> SortBy {
        match self {
            Sort::Total => SortBy::Total,
            Sort::Time => SortBy::Time,
            Sort::Count => SortBy::Count,
            Sort::Gflops => SortBy::Gflops,
            Sort::Gbytes => SortBy::Gbytes,
            Sort::Roofline => SortBy::Roofline,
            Sort::Name => SortBy::Name,
        }
    }
}

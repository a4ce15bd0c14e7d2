//! `mirage bench`.

mod compare;
mod parts;

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clap::Args;
use mirage_bench::{
    ledger::{
        Backend as LedgerBackend, FORMAT, Ledger, Machine as LedgerMachine, Method, Model, PassId,
        Results, Rules, SCHEMA, Setting, assemble, write,
    },
    measure::{MeasureOptions, MonotonicClock, Subject, measure},
    plan::{PlanOptions, plan},
    render::{self, Table},
    stats::{DEFAULT_MARGIN, Resampling},
};
use mirage_model::{ModelConfig, Size, parameter_count};
use mirage_pass::{PassSpec, PipelineSpec, Registry};
use mirage_stream::{Machine, SamplerConfig, Trajectory, capture_frame};

use crate::{
    args::{BackendArgs, ModelArgs, PassArgs, SizeArg},
    error::{CliError, Ending, Result},
    output::Stream,
    progress::Progress,
    subjects::{Bench, Built},
};

const EXAMPLES: &str = "\
Examples:
  mirage bench --passes sdpa,fuse,channels_last --time 60
  mirage bench --passes sdpa,fuse --model lsd-light --save before.json --html before.html
  mirage bench --passes sdpa,fuse --model lsd-light --compare before.json --fail-on-regression 5

Rows: none; each pass alone; the ladder in pipeline order; all but one; all. Sets run in turn in one
process, so that a drift of the machine's speed meets all; intervals are 95 % bootstrap intervals of the
ratio of medians. docs/ledger.md has the statistics and the fields.";

/// What each pass buys, alone and among others: time, memory and error, with intervals
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    part: Option<parts::Part>,
    /// Seconds for measuring, warm-up included
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    time: f64,
    /// The frame's size in the model
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Denoising steps a frame
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps)]
    steps: usize,
    /// Frames of the closed loop whose last picture the error is of
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(2..))]
    frames: u16,
    /// Each pass's Shapley share of the whole gain, for up to 6 passes: measures every legal set
    #[arg(long)]
    shapley: bool,
    /// Measure `none` a second time, as a row of its own: what it differs by is noise
    #[arg(long)]
    control: bool,
    /// Save the ledger, to compare with later
    #[arg(long, value_name = "FILE.json")]
    save: Option<PathBuf>,
    /// Compare with a saved ledger, row by row
    #[arg(long, value_name = "FILE.json")]
    compare: Option<PathBuf>,
    /// With --compare: exit with 1 if a row is slower by more than so many percent with its whole
    /// interval
    #[arg(long, value_name = "PERCENT", requires = "compare")]
    fail_on_regression: Option<f64>,
    /// Write the rows as CSV
    #[arg(long, value_name = "FILE.csv")]
    csv: Option<PathBuf>,
    /// Write a page with figures
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Print the table as markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print the ledger as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    passes: PassArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// A resolved command line.
struct Job {
    config: ModelConfig,
    size: Size,
    trajectory: Trajectory,
    registry: Registry,
    /// The passes in the order in which the planner runs them.
    passes: Vec<PassSpec>,
    ids: Vec<PassId>,
}

impl BenchArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        if let Some(part) = &self.part {
            return part.run(quiet_log);
        }
        let job = self.resolve()?;
        let before = self.compare.as_deref().map(compare::read).transpose()?;
        self.check_outputs()?;
        let options = PlanOptions {
            shapley: self.shapley,
            control: self.control,
        };
        let legal = |set: &[usize]| job.plan(set).map(|_| ());
        let rows = plan(job.passes.len(), options, legal).usage()?;
        if let Some(Err(why)) = &rows.shapley {
            return Err(CliError::Usage(format!("--shapley: {why}")));
        }

        let progress = Progress::new(quiet_log);
        let stage = progress.stage(format!("compiling {} sets", rows.subjects.len()));
        let backend = self.backend.resolve()?;
        let model = self.model.build(&job.config)?;
        let (parameters, trained) = (parameter_count(&model), model.is_trained());
        let captured = capture_frame(&model, job.size, &job.trajectory).failure()?;
        drop(model);
        let bench = Bench {
            size: job.size,
            trajectory: &job.trajectory,
            captured: &captured,
            backend,
            options: self.backend.options(),
            seed: self.model.seed,
            frames: usize::from(self.frames),
        };
        let scene = bench.scene()?;
        let mut built: Vec<Built> = rows
            .subjects
            .iter()
            .map(|set| bench.build(job.plan(&set.indices()), &scene))
            .collect();
        drop(stage);

        let stage = progress.stage(format!("measuring {} sets", built.len()));
        let stop = interrupted()?;
        let mut subjects: Vec<&mut dyn Subject> =
            built.iter_mut().map(|b| b as &mut dyn Subject).collect();
        let measuring = MeasureOptions {
            budget: Duration::try_from_secs_f64(self.time)
                .map_err(|e| CliError::Usage(format!("--time {}: {e}", self.time)))?,
            seed: self.model.seed,
            ..MeasureOptions::default()
        };
        let clock = MonotonicClock::default();
        let measured = measure(&mut subjects, &measuring, &clock, &mut |_| match stop
            .load(Ordering::Relaxed)
        {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
        .failure()?;
        drop(stage);

        let stage = progress.stage("comparing pictures");
        let facts = bench.facts(&mut built, &scene);
        drop(stage);
        let resampling = Resampling::default();
        let rules = Rules {
            resampling,
            margin: DEFAULT_MARGIN,
            roofline: None,
        };
        let Results {
            rows,
            shapley,
            samples_ms,
            warnings,
        } = assemble(&rows, &job.ids, &measured, &facts, &rules).failure()?;
        let ledger = Ledger {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting: self.setting(&job, parameters, trained)?,
            passes: job.ids.clone(),
            method: Method {
                budget_s: self.time,
                elapsed_s: measured.elapsed.as_secs_f64(),
                warm_up: format!(
                    "until the medians of the last two windows of {} runs differ by {} % at most",
                    measuring.warm_up.window,
                    100.0 * measuring.warm_up.tolerance
                ),
                processes: 1,
                confidence: resampling.confidence,
                resamples: resampling.resamples,
                seed: self.model.seed,
                margin: DEFAULT_MARGIN,
                stopped: measured.stopped,
            },
            warnings,
            rows,
            shapley,
            samples_ms,
        };
        self.tell(&ledger)?;
        if let Some(before) = &before {
            compare::tell(before, &ledger, self.fail_on_regression)?;
        }
        match built.iter().find_map(Built::failure) {
            Some(why) => Err(CliError::Failure(format!("a set failed: {why}"))),
            None => Ok(()),
        }
    }

    fn resolve(&self) -> Result<Job> {
        let config = self.model.config()?;
        let size = self.size.map_or(config.size, |s| s.0);
        config.validate_size(size).usage()?;
        let sampler = SamplerConfig {
            steps: self.steps,
            ..SamplerConfig::default()
        };
        let trajectory = Trajectory::plan(&config.schedule, &sampler)
            .map_err(|e| CliError::Usage(format!("--{e}")))?;
        let registry = Registry::linked().failure()?;
        let asked = self.passes.spec()?.passes;
        if asked.is_empty() {
            return Err(CliError::Usage(
                "name the passes to measure: --passes sdpa,fuse (mirage passes list shows all)"
                    .to_owned(),
            ));
        }
        let chosen = self.passes.plan(&registry)?;
        let place = |spec: &PassSpec| {
            let name = spec.name().replace('-', "_");
            chosen.steps.iter().position(|s| s.info().name == name)
        };
        let mut passes = asked;
        passes.sort_by_key(place);
        let id = |spec: &PassSpec| PassId {
            name: spec.name().replace('-', "_"),
            version: place(spec).map_or(0, |i| chosen.steps[i].info().version),
            spec: spec.to_string(),
        };
        Ok(Job {
            ids: passes.iter().map(id).collect(),
            config,
            size,
            trajectory,
            registry,
            passes,
        })
    }

    /// What cannot be written is known before minutes are spent.
    fn check_outputs(&self) -> Result<()> {
        for path in [&self.save, &self.csv, &self.html].into_iter().flatten() {
            let folder = match path.parent() {
                Some(p) if p != Path::new("") => p,
                _ => Path::new("."),
            };
            if !fs::metadata(folder).is_ok_and(|m| m.is_dir()) {
                return Err(CliError::Failure(format!(
                    "{}: there is no folder {}",
                    path.display(),
                    folder.display()
                )));
            }
        }
        Ok(())
    }

    fn setting(&self, job: &Job, parameters: usize, trained: bool) -> Result<Setting> {
        let backend = self.backend.resolve()?;
        let machine = Machine::of(backend, self.backend.device);
        let info = backend.info();
        Ok(Setting {
            mirage: env!("CARGO_PKG_VERSION").to_owned(),
            measured_at: None,
            machine: LedgerMachine {
                device: machine.device,
                details: machine.details,
                platform: machine.platform,
                roofline: None,
            },
            backend: LedgerBackend {
                name: info.name.to_owned(),
                version: info.version.to_owned(),
                engine: info.engine.to_owned(),
            },
            model: Model {
                name: job.config.name.clone(),
                parameters,
                trained,
            },
            shape: [1, 3, job.size.height, job.size.width],
            dtype: "f32".to_owned(),
            seed: self.model.seed,
            steps: self.steps,
            frames: usize::from(self.frames),
        })
    }

    fn tell(&self, ledger: &Ledger) -> Result<()> {
        let json = ledger.to_json().failure()?;
        if let Some(path) = &self.save {
            write(path, &json).failure()?;
        }
        if let Some(path) = &self.csv {
            write(path, &render::csv(&render::flat(ledger)).failure()?).failure()?;
        }
        if let Some(path) = &self.html {
            write(path, &render::html(ledger)).failure()?;
        }
        if self.json {
            return Stream::Stdout.emit(&format!("{json}\n"));
        }
        let table = render::table(ledger).without_empty_columns();
        let mut out = match self.markdown {
            true => render::markdown(&table),
            false => {
                let notes = notes(ledger);
                format!(
                    "{}\n{}{notes}",
                    columns(&table, TIMES),
                    columns(&table, COSTS)
                )
            }
        };
        if let Some(shapley) = &ledger.shapley {
            let shares = render::shares(shapley);
            out.push('\n');
            out.push_str(&match self.markdown {
                true => render::markdown(&shares),
                false => ruled(&shares),
            });
        }
        for warning in &ledger.warnings {
            out.push_str(&format!("\nwarning: {warning}\n"));
        }
        Stream::Stdout.emit(&out)
    }
}

impl Job {
    /// The plan of a set of the passes, in pipeline order.
    fn plan(&self, set: &[usize]) -> std::result::Result<mirage_pass::Plan, String> {
        let mut spec = PipelineSpec::empty();
        spec.passes = set.iter().map(|&i| self.passes[i].clone()).collect();
        mirage_pass::plan(&self.registry, &spec).map_err(|e| e.to_string())
    }
}

/// A terminal takes the columns in two tables; files and markdown have them all in one.
const TIMES: &[&str] = &[
    "row",
    "p50_ms",
    "p95_ms",
    "fps",
    "against_none",
    "verdict_none",
    "against_before",
    "verdict_before",
];
const COSTS: &[&str] = &[
    "row",
    "compile_ms",
    "rewrites",
    "weight_mb",
    "planned_peak_mb",
    "measured_peak_mb",
    "gflops",
    "psnr_db",
    "loop_psnr_db",
    "outliers",
];

/// Some columns of a table, for a terminal.
fn columns(table: &Table, keys: &[&str]) -> String {
    ruled(&table.clone().only(keys))
}

/// What backends say of the rows, once each.
fn notes(ledger: &Ledger) -> String {
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for (row, note) in ledger
        .rows
        .iter()
        .flat_map(|r| r.notes.iter().map(move |n| (r.label.as_str(), n.as_str())))
    {
        match notes.iter_mut().find(|(known, _)| *known == note) {
            Some((_, rows)) => rows.push(row),
            None => notes.push((note, vec![row])),
        }
    }
    let line = |(note, rows): &(&str, Vec<&str>)| format!("\nnote: {note} ({})\n", rows.join("; "));
    notes.iter().map(line).collect()
}

/// A table for a terminal.
pub(super) fn ruled(table: &Table) -> String {
    crate::table::ruled(Stream::Stdout, table)
}

/// A flag that Ctrl-C sets: what was measured until then is told.
fn interrupted() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .failure()?;
    Ok(stop)
}

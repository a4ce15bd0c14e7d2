//! Building and measuring all sets in this process.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use mirage_backend::Backend;
use mirage_bench::{
    ledger::{Facts, LayerTimes},
    machine::{Load, Watch},
    measure::{
        MeasureOptions, Measurement, MonotonicClock, Phase, Progress as Where, Subject, measure,
    },
    plan::{Plan, RowKind},
};
use mirage_capture::Captured;
use mirage_model::parameter_count;
use mirage_stream::capture_frame;
use serde::{Deserialize, Serialize};

use super::{BenchArgs, job::Job};
use crate::{
    error::{CliError, Ending, Result},
    progress::{Progress, Stage},
    resident::Resident,
    subjects::{Bench, Built},
    units,
};

/// What one process found out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Taken {
    pub(super) measurement: Measurement,
    /// One a set.
    pub(super) facts: Vec<Facts>,
    /// Of `none` and of `all`.
    pub(super) layers: Vec<LayerTimes>,
    /// What else kept the machine busy.
    pub(super) warnings: Vec<String>,
    /// The model's parameters.
    pub(super) parameters: usize,
    /// Whether the model's weights came from a file.
    pub(super) trained: bool,
    /// The model and its graph.
    pub(super) setup: Duration,
    /// The passes and the compilation of all sets.
    pub(super) build: Duration,
}

/// How the sets are measured, in the process of this number.
pub(super) fn options(args: &BenchArgs, process: u16) -> MeasureOptions {
    MeasureOptions {
        budget: args.time / u32::from(args.processes),
        seed: args.model.seed.wrapping_add(u64::from(process)),
        ..MeasureOptions::default()
    }
}

/// How long the machine is watched before anything is measured.
const BEFORE: Duration = Duration::from_millis(500);

/// Builds all sets, measures them in turn, and finds out what else there is to tell of each.
pub(super) fn take(
    args: &BenchArgs,
    job: &Job,
    plan: &Plan,
    process: u16,
    progress: Progress,
    stop: &AtomicBool,
) -> std::result::Result<Taken, String> {
    let begin = Instant::now();
    let which = match args.processes {
        1 => String::new(),
        all => format!("process {} of {all}: ", process + 1),
    };
    let stage = progress.stage(format!("{which}compiling {} sets", plan.subjects.len()));
    let words = |e: CliError| e.to_string();
    let backend = args.backend.resolve().map_err(words)?;
    let model = job.model.build(&job.config).map_err(words)?;
    let (parameters, trained) = (parameter_count(&model), model.is_trained());
    let captured = capture_frame(&model, job.size, &job.trajectory).map_err(|e| e.to_string())?;
    drop(model);
    let bench = bench(args, job, &captured, backend);
    let scene = bench.scene().map_err(words)?;
    let setup = begin.elapsed();
    let sets = plan.subjects.iter();
    let mut built = bench.build_all(sets.map(|set| job.plan(&set.indices())), &scene);
    for planted in &plan.planted {
        built[planted.subject].slow_down(planted.percent / 100.0);
    }
    let build = begin.elapsed() - setup;
    drop(stage);

    let mut warnings = load_before();
    let watch = Watch::start();
    let bar = progress.timed(format!("{which}measuring"), options(args, process).budget);
    let measurement = run(&mut built, &options(args, process), &bar, stop)?;
    drop(bar);
    warnings.extend(told("while measuring", &watch.finish()));

    // What follows is the same in every process.
    let (mut facts, mut layers) = (bench.plain_facts(&built), Vec::new());
    if process == 0 {
        let stage = progress.stage("comparing pictures, profiling layers");
        facts = bench.facts(&mut built, &scene);
        layers = profiles(plan, &bench, &mut built, &measurement);
        drop(stage);
    }
    let mut measurement = measurement;
    for (series, built) in measurement.series.iter_mut().zip(&built) {
        if let (None, Some(why)) = (&series.failure, built.failure()) {
            series.failure = Some(why.to_owned());
            series.samples_ms.clear();
        }
    }
    Ok(Taken {
        measurement,
        facts,
        layers,
        warnings,
        parameters,
        trained,
        setup,
        build,
    })
}

/// What keeps the machine busy before anything is measured.
fn load_before() -> Vec<String> {
    told("before measuring", &Watch::during(BEFORE)).collect()
}

/// The warnings of a load, with the time that they are of.
fn told<'a>(when: &'a str, load: &Load) -> impl Iterator<Item = String> + use<'a> {
    let warnings = load.warnings().into_iter();
    warnings.map(move |warning| format!("{when}: {warning}"))
}

fn bench<'a>(
    args: &BenchArgs,
    job: &'a Job,
    captured: &'a Captured,
    backend: &'a dyn Backend,
) -> Bench<'a> {
    Bench {
        size: job.size,
        captured,
        backend,
        options: args.backend.options(),
        seed: args.model.seed,
        frames: usize::from(args.frames),
    }
}

fn run(
    built: &mut [Built],
    options: &MeasureOptions,
    bar: &Stage,
    stop: &AtomicBool,
) -> std::result::Result<Measurement, String> {
    let mut subjects: Vec<&mut dyn Subject> =
        built.iter_mut().map(|b| b as &mut dyn Subject).collect();
    let clock = MonotonicClock::default();
    let mut watch = |at: &Where| {
        let doing = match at.phase {
            Phase::WarmUp => "warm-up".to_owned(),
            Phase::Measure => units::plural(at.rounds as u64, "round"),
        };
        bar.at(at.elapsed, format!("{doing}, {} s left", at.left.as_secs()));
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    measure(&mut subjects, options, &clock, &mut watch).map_err(|e| e.to_string())
}

/// The profiles of `none` and of `all`, where they did not fail.
fn profiles(
    plan: &Plan,
    bench: &Bench<'_>,
    built: &mut [Built],
    measurement: &Measurement,
) -> Vec<LayerTimes> {
    let mut found = Vec::new();
    for (kind, label) in [(RowKind::None, "none"), (RowKind::All, "all")] {
        let row = plan.rows.iter().find(|row| row.kind == kind);
        let Some(Ok(subject)) = row.map(|row| &row.subject) else {
            continue;
        };
        let time = measurement.series[*subject].samples_ms.concat();
        if let Some(ms) = mirage_bench::stats::median(&time) {
            found.extend(bench.layers(&mut built[*subject], label, ms));
        }
    }
    found
}

/// What a set of its own takes of this process: what [`take`] would build of it, after some frames.
pub(super) fn resident(args: &BenchArgs, job: &Job, plan: &Plan, subject: usize) -> Result<u64> {
    let set = plan.subjects.get(subject).copied().unwrap_or_default();
    let backend = args.backend.resolve()?;
    let model = job.model.build(&job.config)?;
    let captured = capture_frame(&model, job.size, &job.trajectory).failure()?;
    drop(model);
    let bench = bench(args, job, &captured, backend);
    let scene = bench.scene()?;
    let mut built = bench.build(job.plan(&set.indices()), &scene);
    drop(captured);
    for _ in 0..RESIDENT_FRAMES {
        built.run().map_err(CliError::Failure)?;
    }
    let resident = Resident::read();
    let told = resident.map(|r| r.now);
    told.ok_or_else(|| CliError::Failure("this system does not tell resident sets".to_owned()))
}

/// Frames after which a process's resident set is read.
pub(super) const RESIDENT_FRAMES: usize = 3;

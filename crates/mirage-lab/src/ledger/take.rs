//! Builds and measures all sets in this process.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use mirage_bench::{
    ledger::{Facts, LayerTimes},
    measure::{MeasureOptions, Measurement, MonotonicClock, Phase, Progress, Subject, measure},
    plan::{Plan, RowKind},
};
use mirage_capture::Captured;
use mirage_machine::{Load, Watch};
use serde::{Deserialize, Serialize};

use super::Run;
use crate::{
    LabError, ModelFacts, Observer, Resident, Result,
    observer::Event,
    subjects::{Bench, BuiltSet},
};

/// The measurements of one process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measurements {
    /// The times, one series per set.
    pub measurement: Measurement,
    /// The facts of each set.
    pub facts: Vec<Facts>,
    /// The layer times of `none` and `all`.
    pub layers: Vec<LayerTimes>,
    /// Warnings about the load of the machine.
    pub warnings: Vec<String>,
    /// The model.
    pub model: ModelFacts,
    /// The time to build the model and capture it.
    pub setup: Duration,
    /// The time to run the passes and compile all sets.
    pub build: Duration,
}

/// How long the load is observed before measuring.
const BEFORE: Duration = Duration::from_millis(500);

impl Run {
    /// Returns how the process of this number measures the sets.
    pub(super) fn measuring(&self, process: u16) -> MeasureOptions {
        MeasureOptions {
            budget: self.options.time / u32::from(self.options.processes),
            seed: self.job.seed.wrapping_add(u64::from(process)),
            ..MeasureOptions::default()
        }
    }

    /// Builds all sets, measures them in turn as the process of this number, and collects the facts of each.
    ///
    /// # Errors
    /// If the model cannot be built, if there is no time for a round, or if it is stopped before one.
    pub fn take(&self, process: u16, observer: &dyn Observer) -> Result<Measurements> {
        let plan = &self.plan;
        let begin = Instant::now();
        let which = match self.options.processes {
            1 => String::new(),
            all => format!("process {} of {all}: ", process + 1),
        };
        let sets = plan.subjects.len();
        observer.tell(Event::Stage(&format!("{which}compiling {sets} sets")));
        let (captured, model) = self.job.capture()?;
        let bench = self.bench(&captured);
        let scene = bench.scene()?;
        let setup = begin.elapsed();
        let sets = plan.subjects.iter();
        let mut built = bench.build_all(sets.map(|set| self.sets.plan(&set.indices())), &scene);
        for planted in &plan.planted {
            built[planted.subject].slow_down(planted.percent / 100.0);
        }
        let build = begin.elapsed() - setup;

        if process == 0 {
            observer.tell(Event::Note(&self.estimate(build, &built)));
        }
        let mut warnings: Vec<String> = told("before measuring", &Watch::during(BEFORE)).collect();
        let watch = Watch::start();
        let options = self.measuring(process);
        observer.tell(Event::Timed(&format!("{which}measuring"), options.budget));
        let mut measurement = run(&mut built, &options, observer)?;
        warnings.extend(told("while measuring", &watch.finish()));

        // What follows is the same in every process.
        let (mut facts, mut layers) = (bench.plain_facts(&built), Vec::new());
        if process == 0 {
            observer.tell(Event::Stage("comparing pictures, profiling layers"));
            facts = bench.facts(&mut built, &scene);
            layers = profiles(plan, &bench, &mut built, &measurement);
        }
        observer.tell(Event::End);
        for (series, built) in measurement.series.iter_mut().zip(&built) {
            if let (None, Some(why)) = (&series.failure, built.failure()) {
                series.failure = Some(why.to_owned());
                series.samples_ms.clear();
            }
        }
        Ok(Measurements {
            measurement,
            facts,
            layers,
            warnings,
            model,
            setup,
            build,
        })
    }

    /// How long the whole command will take, in words.
    fn estimate(&self, build: Duration, built: &[BuiltSet]) -> String {
        let processes = u32::from(self.options.processes);
        let frames = u32::try_from(self.options.frames).unwrap_or(u32::MAX);
        let executions: Duration = built.iter().filter_map(BuiltSet::first_execution).sum();
        let pictures = executions.saturating_mul(frames);
        let compiling = build.saturating_mul(processes);
        let all = self.options.time + compiling + pictures;
        format!(
            "this takes about {}: {} to measure, {} to compile, up to {} to compare pictures",
            seconds(all),
            seconds(self.options.time),
            seconds(compiling),
            seconds(pictures),
        )
    }

    fn bench<'a>(&'a self, captured: &'a Captured) -> Bench<'a> {
        Bench {
            job: &self.job,
            captured,
            frames: self.options.frames,
        }
    }

    /// Returns the resident set size of this process in bytes when it runs only the set of this number, after
    /// some frames.
    ///
    /// # Errors
    /// If the set does not run, or if the platform does not report the size.
    pub fn resident(&self, subject: usize) -> Result<u64> {
        let set = self.plan.subjects.get(subject).copied().unwrap_or_default();
        let (captured, _) = self.job.capture()?;
        let bench = self.bench(&captured);
        let scene = bench.scene()?;
        let mut built = bench.build(self.sets.plan(&set.indices()), &scene);
        drop(captured);
        for _ in 0..RESIDENT_FRAMES {
            built.run().map_err(LabError::Failed)?;
        }
        let resident = Resident::read().map(|r| r.now);
        resident.ok_or_else(|| {
            LabError::Failed("resident set size is unavailable on this platform".to_owned())
        })
    }
}

/// A time in whole seconds, such as `1m 20s`.
fn seconds(time: Duration) -> String {
    let rounded = Duration::from_secs(time.as_secs_f64().ceil() as u64);
    humantime::format_duration(rounded).to_string()
}

/// Returns the warnings of a load, prefixed with when they occurred.
fn told<'a>(when: &'a str, load: &Load) -> impl Iterator<Item = String> + use<'a> {
    let warnings = load.warnings().into_iter();
    warnings.map(move |warning| format!("{when}: {warning}"))
}

fn run(
    built: &mut [BuiltSet],
    options: &MeasureOptions,
    observer: &dyn Observer,
) -> Result<Measurement> {
    let mut subjects: Vec<&mut dyn Subject> =
        built.iter_mut().map(|b| b as &mut dyn Subject).collect();
    let clock = MonotonicClock::default();
    let mut watch = |at: &Progress| -> ControlFlow<()> {
        let doing = match (at.phase, at.rounds) {
            (Phase::WarmUp, _) => "warm-up".to_owned(),
            (Phase::Measure, 1) => "1 round".to_owned(),
            (Phase::Measure, rounds) => format!("{rounds} rounds"),
        };
        let doing = format!("{doing}, {} s left", at.left.as_secs());
        observer.tell(Event::Elapsed(at.elapsed, &doing));
        observer.flow()
    };
    measure(&mut subjects, options, &clock, &mut watch).map_err(|e| match observer.stopped() {
        true => LabError::Interrupted(e.to_string()),
        false => LabError::Failed(e.to_string()),
    })
}

/// Returns the profiles of `none` and `all`, where they did not fail.
fn profiles(
    plan: &Plan,
    bench: &Bench<'_>,
    built: &mut [BuiltSet],
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

/// Frames after which a process's resident set is read.
const RESIDENT_FRAMES: usize = 3;

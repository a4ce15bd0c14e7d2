//! Finds the fastest legal set of passes by measurement, within a time budget and an error bound.
//! docs/reference/tune.md tells how it decides.

mod bound;
mod budget;
mod candidates;
mod report;
mod search;

use std::time::Duration;

use mirage_machine::Watch;
use mirage_pass::{PipelineSpec, Registry};
use mirage_stream::Machine;

pub use self::{
    bound::{Bound, Quality},
    report::{Against, Choice, Report, Set, Setting},
};
use self::{budget::Budget, search::Search};
use crate::{Event, Job, Observer, Result, subjects::Bench};

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct TuneOptions {
    /// The time budget for everything, including building the model and compiling.
    pub budget: Duration,
    /// The error bound.
    pub max_error: Option<Bound>,
    /// Frames of the closed loop; the error is that of the last frame.
    pub frames: usize,
}

/// The result of [`tune`].
pub struct TuneResult {
    /// The best set of passes.
    pub spec: PipelineSpec,
    /// Every set that was measured, and how the best compares.
    pub report: Report,
}

/// Finds the fastest set of passes for a job; the job's passes are ignored.
///
/// # Errors
/// If the model does not run, if the budget is too short for one set, if no set is within the error bound,
/// or if the observer stopped it.
pub fn tune(
    job: &Job,
    registry: &Registry,
    options: &TuneOptions,
    observer: &dyn Observer,
) -> Result<TuneResult> {
    let budget = Budget::begin(options.budget);
    observer.tell(Event::Timed("tuning", options.budget));
    let watch = Watch::start();
    let (captured, facts) = job.capture()?;
    let bench = Bench {
        job,
        captured: &captured,
        frames: options.frames,
    };
    let found = Search {
        bench: &bench,
        scene: bench.scene()?,
        registry,
        capabilities: job.capabilities(),
        bound: options.max_error,
        budget,
        observer,
        seed: job.seed,
    }
    .run()?;
    observer.tell(Event::End);

    let info = job.backend.info();
    let setting = Setting {
        mirage: env!("CARGO_PKG_VERSION"),
        machine: Machine::of(job.backend, job.device),
        backend: info.name,
        engine: info.engine,
        model: job.config.name.clone(),
        trained: facts.trained,
        shape: job.shape(),
        steps: job.sampler.steps,
        frames: options.frames,
        seed: job.seed,
        max_error: options.max_error.map(|bound| bound.to_string()),
        budget_s: options.budget.as_secs_f64(),
    };
    let elapsed = budget.elapsed().as_secs_f64();
    Ok(TuneResult {
        spec: found.entries[found.choice].spec.clone(),
        report: Report::of(&found, setting, elapsed, watch.finish().warnings()),
    })
}

impl TuneResult {
    /// Returns a pipeline file with the set, with a comment about the machine and model.
    pub fn to_toml(&self) -> String {
        let setting = &self.report.setting;
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
        if let Some(gain) = self.report.gain() {
            lines.push(format!("Compared with no passes: {gain}."));
        }
        let comment = |line: String| format!("# {}\n", line.replace(['\n', '\r'], " "));
        let head: String = lines.into_iter().map(comment).collect();
        head + &self.spec.to_toml()
    }
}

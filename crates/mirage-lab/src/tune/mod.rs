//! Finding the fastest legal set of passes by measurement, within a time and a bound on the error.
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
    /// The time for everything, building the model and compiling included.
    pub budget: Duration,
    /// The most error that is allowed.
    pub max_error: Option<Bound>,
    /// Frames of the closed loop whose last picture the error is of.
    pub frames: usize,
}

/// What a search found.
pub struct Tuned {
    /// The best set of passes.
    pub spec: PipelineSpec,
    /// Everything that was tried, and how the best compares.
    pub report: Report,
}

/// Finds the fastest set of passes for a job; the job's own passes are not looked at.
///
/// # Errors
/// The model does not run; the budget does not suffice for one set; no set of passes is within the
/// bound; the observer stopped it.
pub fn tune(
    job: &Job,
    registry: &Registry,
    options: &TuneOptions,
    observer: &dyn Observer,
) -> Result<Tuned> {
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
    Ok(Tuned {
        spec: found.entries[found.choice].spec.clone(),
        report: Report::of(&found, setting, elapsed, watch.finish().warnings()),
    })
}

impl Tuned {
    /// A pipeline file with the set, and a comment at its head that says what it is for.
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
            lines.push(format!("Against no passes: {gain}."));
        }
        let comment = |line: String| format!("# {}\n", line.replace(['\n', '\r'], " "));
        let head: String = lines.into_iter().map(comment).collect();
        head + &self.spec.to_toml()
    }
}

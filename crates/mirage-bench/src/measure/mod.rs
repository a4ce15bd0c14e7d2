//! Measures subjects in turn: warm-up, then rounds until the time budget is used up.

mod clock;
pub(crate) mod schedule;
mod series;

use std::ops::ControlFlow;
use std::time::Duration;

use thiserror::Error;

use crate::stats::WarmUpRule;
use schedule::Schedule;

pub use clock::{Clock, MonotonicClock};
pub use series::{Measurement, Mismatch, Series};

/// Something to measure, such as a frame with one set of passes.
pub trait Subject {
    /// Runs once and returns the measured time.
    ///
    /// # Errors
    /// A message for reports if it fails. It is not run again.
    fn run(&mut self) -> Result<Duration, String>;
}

/// A subject that failed before it could run.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

impl Subject for Broken {
    fn run(&mut self) -> Result<Duration, String> {
        Err(self.0.clone())
    }
}

/// How to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasureOptions {
    /// The time for all, warm-up included. A round that has begun is finished.
    pub budget: Duration,
    /// The most rounds of two samples a subject.
    pub max_rounds: usize,
    /// When a subject is warm.
    pub warm_up: WarmUpRule,
    /// The share of the budget after which measuring begins, whether or not all are warm.
    pub warm_up_share: f64,
    /// The seed of the order.
    pub seed: u64,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        MeasureOptions {
            budget: Duration::from_secs(60),
            max_rounds: 500,
            warm_up: WarmUpRule::default(),
            warm_up_share: 0.25,
            seed: 0,
        }
    }
}

/// Why nothing was measured.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MeasureError {
    /// The budget ended before every subject had two samples.
    #[error(
        "the time budget of {budget:.1?} is too short: one round of {subjects} sets takes about {round:.1?}, plus as much for warm-up; use a longer --time or fewer passes"
    )]
    NoTime {
        /// How many subjects.
        subjects: usize,
        /// What a round takes, as far as it is known.
        round: Duration,
        /// What was given.
        budget: Duration,
    },
    /// The watcher ended it before every subject had two samples.
    #[error("interrupted before every set had run twice; nothing was measured")]
    Stopped,
}

/// Where a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Runs that do not count.
    WarmUp,
    /// Runs that do.
    Measure,
}

/// Told before every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Warm-up or not.
    pub phase: Phase,
    /// Complete rounds of the phase.
    pub rounds: usize,
    /// The subject that runs next.
    pub subject: usize,
    /// Since the beginning.
    pub elapsed: Duration,
    /// Of the budget.
    pub left: Duration,
}

/// Runs the subjects in turn, each twice a round, in one process. `watch` is told before every run
/// and may end it; what complete legs there are then is the result.
///
/// A subject that fails is left out from there on and its samples are dropped; the rest goes on. If
/// all fail, that is the result.
pub fn measure(
    subjects: &mut [&mut dyn Subject],
    options: &MeasureOptions,
    clock: &dyn Clock,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Measurement, MeasureError> {
    let mut run = Run {
        states: subjects.iter().map(|_| State::default()).collect(),
        subjects,
        options,
        clock,
        watch,
        start: clock.now(),
        longest: None,
    };
    let mut schedule = Schedule::new(run.subjects.len(), options.seed);
    let warm_up_end = options
        .budget
        .mul_f64(options.warm_up_share.clamp(0.0, 1.0));
    let mut rounds = 0;
    // At least one round: the first run of most things is not like the others.
    while rounds == 0 || (run.elapsed() < warm_up_end && !run.all_warm() && run.any_left()) {
        run.round(&mut schedule, Phase::WarmUp, rounds)?;
        rounds += 1;
    }
    run.begin_samples();
    let mut stopped = false;
    rounds = 0;
    while rounds < options.max_rounds && run.any_left() && !stopped && run.time_for_round(rounds) {
        match run.round(&mut schedule, Phase::Measure, rounds) {
            Ok(()) => rounds += 1,
            Err(MeasureError::Stopped) if run.complete_legs() >= 2 => stopped = true,
            Err(error) => return Err(error),
        }
    }
    if rounds == 0 && run.any_left() && !stopped {
        return Err(run.no_time());
    }
    Ok(run.finish(stopped))
}

#[derive(Default)]
struct State {
    times: Vec<f64>,
    warm_up_runs: usize,
    warm: bool,
    failure: Option<String>,
}

struct Run<'a, 's> {
    subjects: &'a mut [&'s mut dyn Subject],
    options: &'a MeasureOptions,
    clock: &'a dyn Clock,
    watch: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
    states: Vec<State>,
    start: Duration,
    /// The last round of the phase before, or the longest of this one.
    longest: Option<Duration>,
}

impl Run<'_, '_> {
    fn elapsed(&self) -> Duration {
        self.clock.now().saturating_sub(self.start)
    }

    fn any_left(&self) -> bool {
        self.states.iter().any(|s| s.failure.is_none())
    }

    fn all_warm(&self) -> bool {
        let rule = self.options.warm_up;
        let warm = |s: &State| s.failure.is_some() || rule.is_stable(&s.times);
        self.states.iter().all(warm)
    }

    /// The first round needs some time left; each later one must fit by what rounds took so far.
    fn time_for_round(&self, rounds: usize) -> bool {
        let left = self.options.budget.saturating_sub(self.elapsed());
        match rounds {
            0 => !left.is_zero(),
            _ => left >= self.longest.unwrap_or_default(),
        }
    }

    fn round(
        &mut self,
        schedule: &mut Schedule,
        phase: Phase,
        rounds: usize,
    ) -> Result<(), MeasureError> {
        let begin = self.elapsed();
        for leg in schedule.round() {
            for subject in leg {
                self.run(subject, phase, rounds)?;
            }
        }
        let took = self.elapsed().saturating_sub(begin);
        self.longest = match rounds {
            0 => Some(took),
            _ => self.longest.max(Some(took)),
        };
        Ok(())
    }

    fn run(&mut self, subject: usize, phase: Phase, rounds: usize) -> Result<(), MeasureError> {
        if self.states[subject].failure.is_some() {
            return Ok(());
        }
        let elapsed = self.elapsed();
        let left = self.options.budget.saturating_sub(elapsed);
        if left.is_zero() && phase == Phase::WarmUp {
            return Err(self.no_time());
        }
        let progress = Progress {
            phase,
            rounds,
            subject,
            elapsed,
            left,
        };
        if (self.watch)(&progress).is_break() {
            return Err(MeasureError::Stopped);
        }
        let state = &mut self.states[subject];
        let run = self.subjects[subject].run();
        match run.and_then(some_time) {
            Ok(time) => state.times.push(time.as_secs_f64() * 1e3),
            Err(reason) => {
                state.failure = Some(reason);
                state.times.clear();
            }
        }
        Ok(())
    }

    fn no_time(&self) -> MeasureError {
        MeasureError::NoTime {
            subjects: self.states.len(),
            round: self.longest.unwrap_or_else(|| self.first_round()),
            budget: self.options.budget,
        }
    }

    /// What the first round will take, of which a part has run: those that have not run are taken as
    /// long as the mean of those that have.
    fn first_round(&self) -> Duration {
        let times = self.states.iter().filter_map(|s| s.times.first());
        let (count, sum) = times.fold((0, 0.0), |(n, sum), time| (n + 1, sum + time));
        let mean = match count {
            0 => self.elapsed().as_secs_f64() * 1e3,
            n => sum / f64::from(n),
        };
        Duration::from_secs_f64(mean * 2.0 * self.states.len() as f64 / 1e3)
    }

    fn begin_samples(&mut self) {
        let rule = self.options.warm_up;
        for state in &mut self.states {
            state.warm = rule.is_stable(&state.times);
            state.warm_up_runs = state.times.len();
            state.times.clear();
        }
    }

    /// Samples that every subject has that did not fail.
    fn complete_legs(&self) -> usize {
        let left = self.states.iter().filter(|s| s.failure.is_none());
        left.map(|s| s.times.len()).min().unwrap_or(0)
    }

    fn finish(self, stopped: bool) -> Measurement {
        let legs = self.complete_legs();
        let elapsed = self.elapsed();
        let series = self.states.into_iter().map(|mut state| {
            state.times.truncate(legs);
            Series {
                samples_ms: match state.failure {
                    Some(_) => Vec::new(),
                    None => vec![state.times],
                },
                warm_up_runs: state.warm_up_runs,
                warm: state.warm,
                failure: state.failure,
            }
        });
        Measurement {
            series: series.collect(),
            legs,
            elapsed,
            stopped,
        }
    }
}

/// No time is no sample: nothing can be divided by it.
fn some_time(time: Duration) -> Result<Duration, String> {
    match time.is_zero() {
        true => {
            Err("a run took less time than the clock can measure; measure more work".to_owned())
        }
        false => Ok(time),
    }
}

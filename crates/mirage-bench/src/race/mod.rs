//! Finds the fastest of several subjects within a time budget; slow ones are dropped early.
//!
//! All run in turn, as in [`measure`](crate::measure::measure). After every round the median times so
//! far are compared with the smallest. A subject is dropped if the whole interval of its ratio of paired
//! samples is slower, so that the time is spent on those that are hard to distinguish. This is successive
//! elimination (Even-Dar, Mannor and Mansour, JMLR 2006), with the bootstrap in place of a bound that
//! would need the times' distribution, as Maron and Moore's Hoeffding races have for means (1994).

mod front;

use std::ops::ControlFlow;
use std::time::Duration;

use thiserror::Error;

use crate::measure::{Clock, Subject, schedule::Schedule};
use crate::stats::{Interval, MIN_SAMPLES, Resampling, median, ratio_paired};

pub use front::{Point, front};

/// How to race.
#[derive(Clone, Debug, PartialEq)]
pub struct RaceOptions {
    /// The time for all, warm-up included. A round is begun only if it fits by the longest so far.
    pub budget: Duration,
    /// The most rounds of two samples a subject.
    pub max_rounds: usize,
    /// Rounds that do not count.
    pub warm_up_rounds: usize,
    /// The share of time by which two may differ and still be as good as each other: the race ends when
    /// nobody left can be faster than the leader by more.
    pub margin: f64,
    /// How intervals are drawn. Their confidence is for each look; there is one after each round, so it
    /// is above 95 %.
    pub resampling: Resampling,
    /// The seed of the order.
    pub seed: u64,
}

impl Default for RaceOptions {
    fn default() -> Self {
        RaceOptions {
            budget: Duration::from_secs(10),
            max_rounds: 60,
            warm_up_rounds: 1,
            margin: 0.01,
            resampling: Resampling {
                resamples: 400,
                confidence: 0.99,
                ..Resampling::default()
            },
            seed: 0,
        }
    }
}

/// Why there was no race.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RaceError {
    /// The time ended before every subject had a sample.
    #[error("the time budget of {budget:.1?} is too short to run each of {subjects} sets")]
    NoTime {
        /// How many subjects.
        subjects: usize,
        /// What was given.
        budget: Duration,
    },
    /// All failed.
    #[error("every set failed: {0}")]
    AllFailed(String),
    /// The watcher ended it before every subject had a sample.
    #[error("interrupted before every set had run")]
    Stopped,
}

/// The result of a subject.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runner {
    /// Its times, ms, a leg each, from the first leg on: those of two runners are paired as far as both
    /// have them.
    pub samples_ms: Vec<f64>,
    /// Its time by the leader's when it left, wholly above 1; `None` if it stayed.
    pub left: Option<Interval>,
    /// Why it failed, if it did; it has no samples then.
    pub failure: Option<String>,
}

impl Runner {
    /// The median of its times, ms; `None` if it failed.
    pub fn median_ms(&self) -> Option<f64> {
        median(&self.samples_ms)
    }

    fn runs(&self) -> bool {
        self.left.is_none() && self.failure.is_none()
    }
}

/// The result of a race.
#[derive(Clone, Debug, PartialEq)]
pub struct Race {
    /// One a subject, in the order in which they were given.
    pub runners: Vec<Runner>,
    /// The one that stayed and has the least median time.
    pub leader: usize,
    /// What it took.
    pub elapsed: Duration,
}

/// Races the subjects. `watch` is told the time left before every run and may end the race; what
/// complete legs there are then is the result.
///
/// # Errors
/// The time or the watcher ended it before every subject had run once, or all failed.
pub fn race(
    subjects: &mut [&mut dyn Subject],
    options: &RaceOptions,
    clock: &dyn Clock,
    watch: &mut dyn FnMut(Duration) -> ControlFlow<()>,
) -> Result<Race, RaceError> {
    let mut track = Track {
        runners: vec![Runner::default(); subjects.len()],
        subjects,
        options,
        clock,
        watch,
        start: clock.now(),
        longest: Duration::ZERO,
    };
    let mut schedule = Schedule::new(track.subjects.len(), options.seed);
    for _ in 0..options.warm_up_rounds {
        track.round(&mut schedule, false)?;
    }
    for _ in 0..options.max_rounds {
        let samples = track.legs() > 0;
        if samples && (track.is_decided() || track.left() < track.longest) {
            break;
        }
        match track.round(&mut schedule, true) {
            Ok(()) => {}
            Err(RaceError::AllFailed(why)) => return Err(RaceError::AllFailed(why)),
            Err(_) if track.legs() > 0 => break,
            Err(error) => return Err(error),
        }
        track.eliminate();
    }
    track.finish()
}

struct Track<'a, 's> {
    subjects: &'a mut [&'s mut dyn Subject],
    options: &'a RaceOptions,
    clock: &'a dyn Clock,
    watch: &'a mut dyn FnMut(Duration) -> ControlFlow<()>,
    runners: Vec<Runner>,
    start: Duration,
    longest: Duration,
}

impl Track<'_, '_> {
    fn left(&self) -> Duration {
        let elapsed = self.clock.now().saturating_sub(self.start);
        self.options.budget.saturating_sub(elapsed)
    }

    fn round(&mut self, schedule: &mut Schedule, counts: bool) -> Result<(), RaceError> {
        let begin = self.clock.now();
        for leg in schedule.round() {
            for subject in leg {
                if self.runners[subject].runs() {
                    self.run(subject, counts)?;
                }
            }
        }
        self.longest = self.longest.max(self.clock.now().saturating_sub(begin));
        Ok(())
    }

    fn run(&mut self, subject: usize, counts: bool) -> Result<(), RaceError> {
        let left = self.left();
        if left.is_zero() {
            return Err(RaceError::NoTime {
                subjects: self.subjects.len(),
                budget: self.options.budget,
            });
        }
        if (self.watch)(left).is_break() {
            return Err(RaceError::Stopped);
        }
        let time = self.subjects[subject].run();
        let runner = &mut self.runners[subject];
        match time {
            Ok(time) if counts => runner.samples_ms.push(time.as_secs_f64() * 1e3),
            Ok(_) => {}
            Err(why) => {
                runner.samples_ms.clear();
                runner.failure = Some(why.clone());
                if self.runners.iter().all(|r| r.failure.is_some()) {
                    return Err(RaceError::AllFailed(why));
                }
            }
        }
        Ok(())
    }

    /// Samples that everyone has that still runs.
    fn legs(&self) -> usize {
        let running = self.runners.iter().filter(|r| r.runs());
        running.map(|r| r.samples_ms.len()).min().unwrap_or(0)
    }

    /// Of those that still run, the one with the least median.
    fn leader(&self) -> Option<usize> {
        let running = (0..self.runners.len()).filter(|&i| self.runners[i].runs());
        let medians = running.filter_map(|i| Some((i, self.runners[i].median_ms()?)));
        medians.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
    }

    /// The time of a runner by the leader's; `None` while there are too few samples.
    fn against(&self, runner: usize, leader: usize) -> Option<Interval> {
        ratio(
            &self.runners[runner].samples_ms,
            &self.runners[leader].samples_ms,
            &self.options.resampling,
        )
    }

    fn eliminate(&mut self) {
        let Some(leader) = self.leader() else {
            return;
        };
        for i in 0..self.runners.len() {
            if i == leader || !self.runners[i].runs() {
                continue;
            }
            let interval = self.against(i, leader);
            self.runners[i].left = interval.filter(|ratio| ratio.low > 1.0);
        }
    }

    /// Whether nobody left can be faster than the leader by more than the margin.
    fn is_decided(&self) -> bool {
        let Some(leader) = self.leader() else {
            return false;
        };
        let others = (0..self.runners.len()).filter(|&i| i != leader && self.runners[i].runs());
        let mut others = others.map(|i| self.against(i, leader));
        let close = 1.0 / (1.0 + self.options.margin);
        self.legs() >= MIN_SAMPLES && others.all(|ratio| ratio.is_some_and(|r| r.low >= close))
    }

    fn finish(mut self) -> Result<Race, RaceError> {
        let legs = self.legs();
        for runner in self.runners.iter_mut().filter(|r| r.runs()) {
            runner.samples_ms.truncate(legs);
        }
        let leader = self.leader().ok_or(RaceError::NoTime {
            subjects: self.subjects.len(),
            budget: self.options.budget,
        })?;
        Ok(Race {
            leader,
            elapsed: self.clock.now().saturating_sub(self.start),
            runners: self.runners,
        })
    }
}

/// The interval of one's median time by another's, over the legs that both ran; `None` if they are too
/// few.
pub fn ratio(numerator: &[f64], denominator: &[f64], how: &Resampling) -> Option<Interval> {
    let legs = numerator.len().min(denominator.len());
    let of = |samples: &[f64]| vec![samples[..legs].to_vec()];
    ratio_paired(&of(numerator), &of(denominator), how).ok()
}

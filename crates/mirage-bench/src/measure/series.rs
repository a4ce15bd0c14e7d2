//! What was measured.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The times of one subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// One list of times, ms, a process; sample `i` of a list was taken in leg `i` of its process, so
    /// samples at the same place of different subjects are neighbours in time. Empty if the subject
    /// failed.
    pub samples_ms: Vec<Vec<f64>>,
    /// Runs before the first sample, in the process that took the most.
    pub warm_up_runs: usize,
    /// Whether it was warm by the rule when the first sample was taken, in every process.
    pub warm: bool,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// The times of all subjects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// One a subject, in the order in which they were given.
    pub series: Vec<Series>,
    /// Complete legs: samples that each subject has, if it did not fail, over all processes.
    pub legs: usize,
    /// What it took, warm-up included.
    pub elapsed: Duration,
    /// Whether it was stopped before its time was up.
    pub stopped: bool,
}

/// Measurements that are not of the same subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "cannot join measurements of {first} and {other} subjects; measure the same passes in each process"
)]
pub struct Mismatch {
    first: usize,
    other: usize,
}

impl Measurement {
    /// Measurements of the same subjects in processes of their own, as one. A subject that failed
    /// in one of them has failed.
    pub fn join(repeats: Vec<Measurement>) -> Result<Measurement, Mismatch> {
        let mut repeats = repeats.into_iter();
        let mut all = repeats.next().unwrap_or_default();
        for repeat in repeats {
            let (first, other) = (all.series.len(), repeat.series.len());
            if first != other {
                return Err(Mismatch { first, other });
            }
            all.legs += repeat.legs;
            all.elapsed += repeat.elapsed;
            all.stopped |= repeat.stopped;
            for (mine, its) in all.series.iter_mut().zip(repeat.series) {
                mine.join(its);
            }
        }
        Ok(all)
    }
}

impl Series {
    fn join(&mut self, other: Series) {
        self.warm_up_runs = self.warm_up_runs.max(other.warm_up_runs);
        self.warm &= other.warm;
        self.failure = self.failure.take().or(other.failure);
        match self.failure {
            Some(_) => self.samples_ms.clear(),
            None => self.samples_ms.extend(other.samples_ms),
        }
    }
}

//! Processes of their own: repeats of the measurement, and the resident set of each set.

use std::str::FromStr;

use mirage_bench::{
    measure::Measurement,
    plan::{PassSet, Plan},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Run, Taken};
use crate::{LabError, Observer, Result, observer::Event};

/// What a process does for the one that started it: it is given the same command line, so it has the
/// same sets, and answers in JSON on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// It measures all sets, as the process of this number.
    Measure(u16),
    /// It tells its resident set with the set of this number alone.
    Resident(usize),
}

impl FromStr for Worker {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = match text.split_once(':') {
            Some(("measure", n)) => n.parse().ok().map(Worker::Measure),
            Some(("resident", n)) => n.parse().ok().map(Worker::Resident),
            _ => None,
        };
        parsed.ok_or_else(|| "write it as measure:NUMBER or resident:NUMBER".to_owned())
    }
}

impl std::fmt::Display for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Worker::Measure(number) => write!(f, "measure:{number}"),
            Worker::Resident(number) => write!(f, "resident:{number}"),
        }
    }
}

impl Worker {
    /// Does it. The answer is JSON; what goes wrong is an answer too.
    ///
    /// # Errors
    /// An answer that JSON cannot hold.
    pub fn run(self, run: &Run, observer: &dyn Observer) -> Result<String> {
        match self {
            Worker::Measure(number) => answer(run.take(number, observer)),
            Worker::Resident(subject) => answer(run.resident(subject)),
        }
    }
}

fn answer<T: Serialize>(found: Result<T>) -> Result<String> {
    let found = found.map_err(|e| e.to_string());
    serde_json::to_string(&found).map_err(|e| LabError::Failed(e.to_string()))
}

/// How a process is started for a worker: it gives its answer, or why there is none.
pub type Start<'a> = dyn Fn(Worker) -> std::result::Result<Vec<u8>, String> + 'a;

fn ask<T: DeserializeOwned>(start: &Start<'_>, worker: Worker) -> std::result::Result<T, String> {
    let answer = start(worker)?;
    serde_json::from_slice(&answer).unwrap_or_else(|_| Err("the process ended early".to_owned()))
}

impl Run {
    /// Measures in several processes, one after the other. Their samples are joined; what else there is to
    /// tell of the sets is told by the first.
    ///
    /// # Errors
    /// A process fails; the observer stopped before anything was measured.
    pub fn repeat(&self, start: &Start<'_>, observer: &dyn Observer) -> Result<Taken> {
        let processes = self.options.processes;
        let mut all: Option<Taken> = None;
        let mut repeats = Vec::new();
        for number in 0..processes {
            if observer.stopped() && all.is_some() {
                break;
            }
            let taken: Taken = match ask(start, Worker::Measure(number)) {
                Ok(taken) => taken,
                // Stopped before anything was measured: what the others have is told.
                Err(_) if observer.stopped() && all.is_some() => break,
                Err(why) if observer.stopped() => return Err(LabError::Interrupted(why)),
                Err(why) => {
                    return Err(LabError::Failed(format!(
                        "process {} of {processes}: {why}",
                        number + 1
                    )));
                }
            };
            repeats.push(taken.measurement.clone());
            let warnings = taken.warnings.clone();
            let first = all.get_or_insert(taken);
            for warning in warnings {
                if !first.warnings.contains(&warning) {
                    first.warnings.push(warning);
                }
            }
        }
        let mut all = all.ok_or_else(|| LabError::Failed("no process measured".to_owned()))?;
        let joined = Measurement::join(repeats);
        all.measurement = joined.map_err(|e| LabError::Failed(e.to_string()))?;
        all.measurement.stopped |= observer.stopped();
        Ok(all)
    }

    /// The resident set of a process that holds one set alone, a set of the plan each; and a warning
    /// where that was not taken.
    pub fn residents(
        &self,
        taken: &Taken,
        start: &Start<'_>,
        observer: &dyn Observer,
    ) -> (Vec<Option<u64>>, Option<String>) {
        let plan = &self.plan;
        let mut found: Vec<Option<u64>> = vec![None; plan.subjects.len()];
        // A process a set builds the model anew.
        let sets = distinct(plan);
        let count = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        let wanted = taken.setup.saturating_mul(count) + taken.build;
        if wanted > self.options.time {
            let warning = format!(
                "resident sets were not taken: a process a set would take about {:.0} s, more than the time given",
                wanted.as_secs_f64()
            );
            return (found, Some(warning));
        }
        observer.tell(Event::Counted("resident sets", u64::from(count)));
        let mut warning = None;
        for (done, first) in sets.into_iter().enumerate() {
            if observer.stopped() {
                warning = Some("resident sets were not all taken: it was stopped".to_owned());
                break;
            }
            if taken.measurement.series[first].failure.is_some() {
                continue;
            }
            match ask::<u64>(start, Worker::Resident(first)) {
                Ok(bytes) => {
                    let same =
                        |(set, _): &(&PassSet, &mut Option<u64>)| **set == plan.subjects[first];
                    let places = plan.subjects.iter().zip(&mut found).filter(same);
                    places.for_each(|(_, place)| *place = Some(bytes));
                }
                Err(why) => warning = Some(format!("a resident set was not taken: {why}")),
            }
            observer.tell(Event::Done(done as u64 + 1));
        }
        observer.tell(Event::End);
        (found, warning)
    }
}

/// The first subject of every different set.
fn distinct(plan: &Plan) -> Vec<usize> {
    let first = |i: &usize| !plan.subjects[..*i].contains(&plan.subjects[*i]);
    (0..plan.subjects.len()).filter(first).collect()
}

//! Worker processes: repeated measurements, and the resident set size of each set.

use std::str::FromStr;

use mirage_bench::{
    measure::Measurement,
    plan::{PassSet, Plan},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Measurements, Run};
use crate::{LabError, Observer, Result, observer::Event};

/// The task of a worker process. It gets the same command line and therefore has the same sets, and
/// answers in JSON on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Measures all sets, as the process of this number.
    Measure(u16),
    /// Reports its resident set size when it runs only the set of this number.
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
        parsed.ok_or_else(|| "expected measure:NUMBER or resident:NUMBER".to_owned())
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
    /// Does the task and returns the answer, or the error, as JSON.
    ///
    /// # Errors
    /// If the answer cannot be written as JSON.
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

/// Starts a worker process and returns its answer, or why there is none.
pub type Start<'a> = dyn Fn(Worker) -> std::result::Result<Vec<u8>, String> + 'a;

fn ask<T: DeserializeOwned>(start: &Start<'_>, worker: Worker) -> std::result::Result<T, String> {
    let answer = start(worker)?;
    serde_json::from_slice(&answer)
        .unwrap_or_else(|_| Err("a worker process ended without a result".to_owned()))
}

impl Run {
    /// Measures in several processes, one after the other, and joins their samples. All other facts are
    /// those of the first process.
    ///
    /// # Errors
    /// If a process fails, or if the observer stopped it before anything was measured.
    pub fn repeat(&self, start: &Start<'_>, observer: &dyn Observer) -> Result<Measurements> {
        let processes = self.options.processes;
        let mut all: Option<Measurements> = None;
        let mut repeats = Vec::new();
        for number in 0..processes {
            if observer.stopped() && all.is_some() {
                break;
            }
            let taken: Measurements = match ask(start, Worker::Measure(number)) {
                Ok(taken) => taken,
                // Stopped before this process measured anything: keep the results of the others.
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
        let mut all =
            all.ok_or_else(|| LabError::Failed("no process returned a measurement".to_owned()))?;
        let joined = Measurement::join(repeats);
        all.measurement = joined.map_err(|e| LabError::Failed(e.to_string()))?;
        all.measurement.stopped |= observer.stopped();
        Ok(all)
    }

    /// Measures the resident set size of a process with only one set, for each set of the plan. Also returns
    /// a warning if some were not measured.
    pub fn residents(
        &self,
        taken: &Measurements,
        start: &Start<'_>,
        observer: &dyn Observer,
    ) -> (Vec<Option<u64>>, Option<String>) {
        let plan = &self.plan;
        let mut found: Vec<Option<u64>> = vec![None; plan.subjects.len()];
        // The process of each set builds the model again.
        let sets = distinct(plan);
        let count = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        let wanted = taken.setup.saturating_mul(count) + taken.build;
        if wanted > self.options.time {
            let warning = format!(
                "resident set sizes were not measured: one process per set would take about {:.0} s, longer than --time",
                wanted.as_secs_f64()
            );
            return (found, Some(warning));
        }
        observer.tell(Event::Counted("resident set sizes", u64::from(count)));
        let mut warning = None;
        for (done, first) in sets.into_iter().enumerate() {
            if observer.stopped() {
                warning = Some("not all resident set sizes were measured: interrupted".to_owned());
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
                Err(why) => warning = Some(format!("a resident set size was not measured: {why}")),
            }
            observer.tell(Event::Done(done as u64 + 1));
        }
        observer.tell(Event::End);
        (found, warning)
    }
}

/// Returns the first subject of every distinct set.
fn distinct(plan: &Plan) -> Vec<usize> {
    let first = |i: &usize| !plan.subjects[..*i].contains(&plan.subjects[*i]);
    (0..plan.subjects.len()).filter(first).collect()
}

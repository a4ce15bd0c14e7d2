//! Processes of their own: repeats of the measurement, and the resident set of each set.

use std::{
    env,
    process::{Command, Stdio},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

use mirage_bench::{
    measure::Measurement,
    plan::{PassSet, Plan},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    BenchArgs,
    job::Job,
    take::{self, Taken},
};
use crate::{
    error::{CliError, Ending, Result},
    output::Stream,
    progress::Progress,
};

/// What a process does for the one that started it: it is given the same command line, so it has the
/// same sets, and answers in JSON on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
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
    /// Does it and answers. What goes wrong is an answer too.
    pub(super) fn run(
        self,
        args: &BenchArgs,
        job: &Job,
        plan: &Plan,
        progress: Progress,
        stop: &AtomicBool,
    ) -> Result<()> {
        match self {
            Worker::Measure(number) => answer(&take::take(args, job, plan, number, progress, stop)),
            Worker::Resident(subject) => {
                let found = take::resident(args, job, plan, subject);
                answer(&found.map_err(|e| e.to_string()))
            }
        }
    }
}

fn answer<T: Serialize>(found: &std::result::Result<T, String>) -> Result<()> {
    Stream::Stdout.emit(&serde_json::to_string(found).failure()?)
}

/// Starts a process with this command line and waits for its answer.
fn ask<T: DeserializeOwned>(worker: Worker) -> std::result::Result<T, String> {
    let program = env::current_exe().map_err(|e| format!("this program's file: {e}"))?;
    let output = Command::new(program)
        .args(env::args_os().skip(1))
        .args(["--worker", &worker.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start a process: {e}"))?;
    match serde_json::from_slice(&output.stdout) {
        Ok(found) => found,
        Err(_) => Err(format!("the process ended early ({})", output.status)),
    }
}

/// Measures in several processes, one after the other. Their samples are joined; what else there is to
/// tell of the sets is told by the first.
pub(super) fn repeat(processes: u16, stop: &AtomicBool) -> Result<Taken> {
    let mut all: Option<Taken> = None;
    let mut repeats = Vec::new();
    for number in 0..processes {
        if stop.load(Ordering::Relaxed) && all.is_some() {
            break;
        }
        let taken: Taken = match ask(Worker::Measure(number)) {
            Ok(taken) => taken,
            // Stopped before anything was measured: what the others have is told.
            Err(_) if stop.load(Ordering::Relaxed) && all.is_some() => break,
            Err(why) if stop.load(Ordering::Relaxed) => return Err(CliError::Interrupted(why)),
            Err(why) => {
                return Err(CliError::Failure(format!(
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
    let mut all = all.ok_or_else(|| CliError::Failure("no process measured".to_owned()))?;
    all.measurement = Measurement::join(repeats).failure()?;
    all.measurement.stopped |= stop.load(Ordering::Relaxed);
    Ok(all)
}

/// The resident set of a process that holds one set alone, a set of the plan each; and a warning
/// where that was not taken.
pub(super) fn resident(
    args: &BenchArgs,
    plan: &Plan,
    taken: &Taken,
    progress: Progress,
    stop: &AtomicBool,
) -> (Vec<Option<u64>>, Option<String>) {
    let mut found: Vec<Option<u64>> = vec![None; plan.subjects.len()];
    // A process a set builds the model anew.
    let sets = u32::try_from(distinct(plan).len()).unwrap_or(u32::MAX);
    let wanted = taken.setup.saturating_mul(sets) + taken.build;
    if wanted > args.time {
        let warning = format!(
            "resident sets were not taken: a process a set would take about {:.0} s, more than the time given",
            wanted.as_secs_f64()
        );
        return (found, Some(warning));
    }
    let bar = progress.frames("resident sets", Some(u64::from(sets)));
    let mut warning = None;
    for (done, first) in distinct(plan).into_iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            warning = Some("resident sets were not all taken: it was stopped".to_owned());
            break;
        }
        if taken.measurement.series[first].failure.is_some() {
            continue;
        }
        match ask::<u64>(Worker::Resident(first)) {
            Ok(bytes) => {
                let same = |(set, _): &(&PassSet, &mut Option<u64>)| **set == plan.subjects[first];
                let places = plan.subjects.iter().zip(&mut found).filter(same);
                places.for_each(|(_, place)| *place = Some(bytes));
            }
            Err(why) => warning = Some(format!("a resident set was not taken: {why}")),
        }
        bar.done(done as u64 + 1);
    }
    (found, warning)
}

/// The first subject of every different set.
fn distinct(plan: &Plan) -> Vec<usize> {
    let first = |i: &usize| !plan.subjects[..*i].contains(&plan.subjects[*i]);
    (0..plan.subjects.len()).filter(first).collect()
}

//! Saved ledgers over time: each row's median, with date, version and machine.

mod folder;

use std::collections::HashMap;

use serde::Serialize;

use crate::ledger::{Ledger, LedgerError};
use crate::stats::{Interval, Resampling, medians_interval, ratio_unpaired};

pub use folder::read_folder;

/// The version of the schema of [`History`] as JSON.
pub const HISTORY_SCHEMA: u32 = 1;

/// A file of a folder: a ledger, or why it is not one.
#[derive(Debug)]
pub struct Saved {
    /// The file's name.
    pub file: String,
    /// The ledger.
    pub ledger: Result<Ledger, LedgerError>,
}

/// Ledgers over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    /// `"mirage-history"`.
    pub format: &'static str,
    /// [`HISTORY_SCHEMA`].
    pub schema: u32,
    /// What was measured, in the order of first appearance.
    pub groups: Vec<Group>,
    /// The files that are not ledgers.
    pub unreadable: Vec<Unreadable>,
}

/// A file that is not a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its name.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// A model at one shape, dtype and number of steps on one backend, which can be compared over time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Work {
    /// The model's name.
    pub model: String,
    /// The number of its parameters.
    pub parameters: usize,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// The dtype before any pass.
    pub dtype: String,
    /// Denoising steps per frame.
    pub steps: usize,
    /// The backend's name.
    pub backend: String,
}

/// The rows of one work.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// What was measured.
    #[serde(flatten)]
    pub work: Work,
    /// Its rows, in the order of first appearance.
    pub rows: Vec<RowHistory>,
}

/// A row over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowHistory {
    /// The row's label.
    pub label: String,
    /// Its passes with their options, in the form of `--passes`.
    pub passes: Vec<String>,
    /// Its medians, the oldest first.
    pub points: Vec<Point>,
    /// The last median divided by the previous one, above 1 slower; null without a previous one on the same
    /// machine, or with too few samples.
    pub change: Option<Interval>,
}

/// A row's median in one ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The ledger's file.
    pub file: String,
    /// The date of measurement, RFC 3339; null if unknown.
    pub measured_at: Option<String>,
    /// The version of Mirage.
    pub mirage: String,
    /// The backend's engine with its version.
    pub engine: String,
    /// The machine.
    pub machine: String,
    /// Whether the machine differs from that of the previous point.
    pub machine_changed: bool,
    /// The median, ms.
    pub p50_ms: f64,
    /// Its interval; null where samples are too few.
    pub interval: Option<Interval>,
    /// Samples.
    pub count: usize,
}

/// Returns the history of these files. Ledgers are sorted by the date of measurement, those without one first,
/// and by name.
pub fn history(files: Vec<Saved>, how: &Resampling) -> History {
    let mut ledgers = Vec::new();
    let mut unreadable = Vec::new();
    for Saved { file, ledger } in files {
        match ledger {
            Ok(ledger) => ledgers.push((file, ledger)),
            Err(error) => unreadable.push(Unreadable {
                file,
                reason: error.to_string(),
            }),
        }
    }
    // RFC 3339 in UTC sorts as text.
    ledgers.sort_by(|(a, x), (b, y)| {
        let key = |l: &Ledger| l.setting.measured_at.clone();
        key(x).cmp(&key(y)).then_with(|| a.cmp(b))
    });
    let mut all = Collected::default();
    for (file, ledger) in &ledgers {
        all.add(file, ledger, how);
    }
    History {
        format: "mirage-history",
        schema: HISTORY_SCHEMA,
        groups: all.finish(how),
        unreadable,
    }
}

/// A row with the samples behind its points.
type Sampled<'a> = (RowHistory, Vec<&'a [Vec<f64>]>);

/// Rows by what was measured.
#[derive(Default)]
struct Collected<'a> {
    groups: Vec<(Work, Vec<Sampled<'a>>)>,
}

impl<'a> Collected<'a> {
    fn add(&mut self, file: &str, ledger: &'a Ledger, how: &Resampling) {
        let work = work(ledger);
        let place = self.groups.iter().position(|(w, _)| *w == work);
        let place = place.unwrap_or_else(|| {
            self.groups.push((work, Vec::new()));
            self.groups.len() - 1
        });
        let rows = &mut self.groups[place].1;
        // Rows that show one set share its samples.
        let mut intervals: HashMap<usize, Option<Interval>> = HashMap::new();
        for row in &ledger.rows {
            let (Some(samples), Some(times)) = (row.samples, row.times) else {
                continue;
            };
            let passes = specs(ledger, &row.passes);
            let taken = &ledger.samples_ms[samples][..];
            let interval = *intervals.entry(samples).or_insert_with(|| {
                let median = |m: &[f64]| vec![m[0]];
                let found = medians_interval(&[taken], how, median).ok();
                found.and_then(|intervals| intervals.first().copied())
            });
            let same = |(r, _): &Sampled<'_>| r.label == row.label && r.passes == passes;
            let place = rows.iter().position(same).unwrap_or_else(|| {
                let history = RowHistory {
                    label: row.label.clone(),
                    passes,
                    points: Vec::new(),
                    change: None,
                };
                rows.push((history, Vec::new()));
                rows.len() - 1
            });
            let (history, kept) = &mut rows[place];
            let machine = machine(ledger);
            let before = history.points.last().map(|p| &p.machine);
            history.points.push(Point {
                file: file.to_owned(),
                measured_at: ledger.setting.measured_at.clone(),
                mirage: ledger.setting.mirage.clone(),
                engine: ledger.setting.backend.engine.clone(),
                machine_changed: before.is_some_and(|m| *m != machine),
                machine,
                p50_ms: times.p50_ms,
                interval,
                count: times.count,
            });
            kept.push(taken);
        }
    }

    fn finish(self, how: &Resampling) -> Vec<Group> {
        let row = |(mut row, samples): Sampled<'_>| {
            if let ([.., before, last], Some(false)) =
                (&samples[..], row.points.last().map(|p| p.machine_changed))
            {
                row.change = ratio_unpaired(last, before, how).ok();
            }
            row
        };
        let group = |(work, rows): (Work, Vec<_>)| Group {
            work,
            rows: rows.into_iter().map(row).collect(),
        };
        self.groups.into_iter().map(group).collect()
    }
}

fn work(ledger: &Ledger) -> Work {
    let s = &ledger.setting;
    Work {
        model: s.model.name.clone(),
        parameters: s.model.parameters,
        shape: s.shape,
        dtype: s.dtype.clone(),
        steps: s.steps,
        backend: s.backend.name.clone(),
    }
}

fn machine(ledger: &Ledger) -> String {
    let m = &ledger.setting.machine;
    format!("{}, {}, {}", m.device, m.details, m.platform)
}

/// The passes of these names with their options.
fn specs(ledger: &Ledger, names: &[String]) -> Vec<String> {
    let spec = |name: &String| ledger.pass(name).map_or(name, |p| &p.spec).clone();
    names.iter().map(spec).collect()
}

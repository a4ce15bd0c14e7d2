//! Compares saved ledgers row by row.

use std::fmt;
use std::mem::discriminant;

use serde::Serialize;

use crate::ledger::{Ledger, Outcome, Row};
use crate::plan::RowKind;
use crate::stats::{Interval, Resampling, StatsError, Verdict, ratio_unpaired};

/// A field in which two ledgers, or two rows, differ so that their times cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field, such as `machine`, `backend version`, `fp16 version`.
    pub field: String,
    /// The value in the first.
    pub first: String,
    /// The value in the other.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} and {}", self.field, self.first, self.other)
    }
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CompareOptions {
    /// How intervals are computed.
    pub resampling: Resampling,
    /// The smallest relative change of time that counts.
    pub margin: f64,
    /// Compare even if the versions of Mirage, the backend, its engine or passes differ, to see what a release
    /// changed.
    pub across_versions: bool,
}

/// The comparison of a ledger with the first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Why no row can be compared; empty if rows can.
    pub differences: Vec<Difference>,
    /// How `none` changed, if it did: what it runs is the same, so the machine's speed, or the program's as
    /// a whole, is another. Rows are then judged relative to it.
    pub none_moved: Option<Interval>,
    /// A row each of the first ledger, in its order, then those that only the other has.
    pub rows: Vec<RowComparison>,
}

/// The comparison of a row with the same row of the first ledger.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowComparison {
    /// The row's label.
    pub label: String,
    /// Its passes.
    pub passes: Vec<String>,
    /// The result.
    pub finding: Finding,
}

/// The result of comparing a row.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Finding {
    /// Both were measured under the same conditions.
    Compared {
        /// The other's median time by the first's: above 1 it became slower.
        ratio: Interval,
        /// What the ratio says.
        change: Verdict,
        /// The ratio of ratios: how the row's time by `none`'s changed, above 1 it became slower against
        /// `none`. Null of `none` itself, and without intervals of both.
        relative: Option<Interval>,
        /// What that says.
        relative_change: Option<Verdict>,
    },
    /// The first was measured; the other failed or is illegal.
    Broken {
        /// Why.
        reason: String,
    },
    /// They cannot be compared.
    NotComparable {
        /// Why: fields that differ, a row that is missing or failed.
        reasons: Vec<String>,
    },
}

impl Comparison {
    /// The rows that became slower by more than `threshold`, a share: those whose whole interval lies
    /// beyond it, and those that broke. Where `none` moved, the other rows count by their ratio to it.
    pub fn regressions(&self, threshold: f64) -> impl Iterator<Item = &RowComparison> {
        let moved = self.none_moved.is_some();
        self.rows.iter().filter(move |row| match &row.finding {
            Finding::Compared {
                ratio, relative, ..
            } => {
                let counts = relative.filter(|_| moved).unwrap_or(*ratio);
                counts.low > 1.0 + threshold
            }
            Finding::Broken { .. } => true,
            Finding::NotComparable { .. } => false,
        })
    }

    /// Returns whether any row was compared or broke.
    pub fn is_comparable(&self) -> bool {
        let alike = |row: &RowComparison| !matches!(row.finding, Finding::NotComparable { .. });
        self.rows.iter().any(alike)
    }
}

/// Compares another ledger with the first. Rows belong together that show the same: `+ fuse` and
/// `+ fuse`; if their passes differ, they are not comparable.
pub fn compare(first: &Ledger, other: &Ledger, options: &CompareOptions) -> Comparison {
    let differences = differences(first, other, options.across_versions);
    let mut rows = Vec::new();
    for row in &first.rows {
        rows.push(RowComparison {
            label: row.label.clone(),
            passes: row.passes.clone(),
            finding: finding(first, row, other, &differences, options),
        });
    }
    for row in &other.rows {
        if counterpart(first, row).is_none() {
            rows.push(RowComparison {
                label: row.label.clone(),
                passes: row.passes.clone(),
                finding: not_comparable("missing in the first ledger"),
            });
        }
    }
    let none_moved = first
        .rows
        .iter()
        .position(|row| row.kind == RowKind::None)
        .and_then(|place| match rows[place].finding {
            Finding::Compared {
                ratio,
                change: Verdict::Faster | Verdict::Slower,
                ..
            } => Some(ratio),
            _ => None,
        });
    Comparison {
        differences,
        none_moved,
        rows,
    }
}

/// The ratio of ratios of a row's times to `none`'s, from the intervals of both ledgers. The ledgers are
/// independent, so the widths add up in quadrature on the scale of logarithms.
fn relative(row: &Row, its: &Row) -> Option<Interval> {
    let logs = |row: &Row| {
        let i = row.against_none.as_ref()?.interval?;
        let logs = (i.estimate.ln(), i.low.ln(), i.high.ln());
        [logs.0, logs.1, logs.2]
            .iter()
            .all(|x| x.is_finite())
            .then_some(logs)
    };
    let (before, before_low, before_high) = logs(row)?;
    let (now, now_low, now_high) = logs(its)?;
    // Speed-ups: a smaller one now is a larger ratio of times.
    let estimate = before - now;
    let below = (before - before_low).hypot(now_high - now);
    let above = (before_high - before).hypot(now - now_low);
    Some(Interval {
        estimate: estimate.exp(),
        low: (estimate - below).exp(),
        high: (estimate + above).exp(),
    })
}

/// The row that shows the same. A pass's place may differ, its name may not.
fn counterpart<'a>(ledger: &'a Ledger, row: &Row) -> Option<&'a Row> {
    let same = |r: &&Row| discriminant(&r.kind) == discriminant(&row.kind) && r.label == row.label;
    ledger.rows.iter().find(same)
}

fn not_comparable(reason: impl Into<String>) -> Finding {
    Finding::NotComparable {
        reasons: vec![reason.into()],
    }
}

fn finding(
    first: &Ledger,
    row: &Row,
    other: &Ledger,
    differences: &[Difference],
    options: &CompareOptions,
) -> Finding {
    let Some(its) = counterpart(other, row) else {
        return not_comparable("missing in the other ledger");
    };
    let mut found = differences.to_vec();
    found.extend(row_differences(
        (first, row),
        (other, its),
        options.across_versions,
    ));
    if !found.is_empty() {
        return Finding::NotComparable {
            reasons: found.iter().map(Difference::to_string).collect(),
        };
    }
    match (reason_of(&row.outcome), reason_of(&its.outcome)) {
        (Some(reason), _) => return not_comparable(format!("the first {reason}")),
        (None, Some(reason)) => {
            return Finding::Broken {
                reason: format!("the other {reason}"),
            };
        }
        (None, None) => {}
    }
    match ratio(first, row, other, its, &options.resampling) {
        Ok(ratio) => {
            let relative = relative(row, its);
            let change = |i: &Interval| Verdict::of_time_ratio(i, options.margin);
            Finding::Compared {
                change: change(&ratio),
                ratio,
                relative_change: relative.as_ref().map(change),
                relative,
            }
        }
        Err(error) => not_comparable(error.to_string()),
    }
}

/// Returns why a row was not measured.
fn reason_of(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Measured => None,
        Outcome::Failed(reason) => Some(format!("failed: {reason}")),
        Outcome::Illegal(reason) => Some(format!("is illegal: {reason}")),
    }
}

fn ratio(
    first: &Ledger,
    row: &Row,
    other: &Ledger,
    its: &Row,
    how: &Resampling,
) -> Result<Interval, StatsError> {
    let samples = |ledger: &Ledger, row: &Row| {
        let place = row.samples.and_then(|s| ledger.samples_ms.get(s));
        place.cloned().unwrap_or_default()
    };
    ratio_unpaired(&samples(other, its), &samples(first, row), how)
}

/// A field and what the two have of it; the last says that it is a version.
type Field = (&'static str, String, String, bool);

fn differences(first: &Ledger, other: &Ledger, across_versions: bool) -> Vec<Difference> {
    let (a, b) = (&first.setting, &other.setting);
    let machine = |l: &Ledger| {
        let m = &l.setting.machine;
        format!("{} ({}, {})", m.device, m.details, m.platform)
    };
    let model = |l: &Ledger| {
        let m = &l.setting.model;
        let trained = if m.trained { "trained" } else { "untrained" };
        format!("{} ({} parameters, {trained})", m.name, m.parameters)
    };
    let shape = |l: &Ledger| format!("{:?}", l.setting.shape);
    let fields: [Field; 10] = [
        ("machine", machine(first), machine(other), false),
        ("model", model(first), model(other), false),
        ("shape", shape(first), shape(other), false),
        ("dtype", a.dtype.clone(), b.dtype.clone(), false),
        ("steps", a.steps.to_string(), b.steps.to_string(), false),
        ("seed", a.seed.to_string(), b.seed.to_string(), false),
        (
            "backend",
            a.backend.name.clone(),
            b.backend.name.clone(),
            false,
        ),
        (
            "backend version",
            a.backend.version.clone(),
            b.backend.version.clone(),
            true,
        ),
        (
            "engine",
            a.backend.engine.clone(),
            b.backend.engine.clone(),
            true,
        ),
        ("Mirage version", a.mirage.clone(), b.mirage.clone(), true),
    ];
    // Ledgers of before do not tell it.
    let configurations = match (&a.model.configuration, &b.model.configuration) {
        (Some(first), Some(other)) => {
            Some(("model configuration", first.clone(), other.clone(), false))
        }
        _ => None,
    };
    let differ = fields
        .into_iter()
        .chain(configurations)
        .filter(|(_, a, b, version)| a != b && !(across_versions && *version));
    differ
        .map(|(field, first, other, _)| Difference {
            field: field.to_owned(),
            first,
            other,
        })
        .collect()
}

/// What differs in rows that carry one label: their passes, and each pass's options and version.
fn row_differences(
    (first, row): (&Ledger, &Row),
    (other, its): (&Ledger, &Row),
    across_versions: bool,
) -> Vec<Difference> {
    if row.passes != its.passes {
        return vec![Difference {
            field: "passes".to_owned(),
            first: row.passes.join(","),
            other: its.passes.join(","),
        }];
    }
    let mut found = Vec::new();
    for name in &row.passes {
        let (Some(a), Some(b)) = (first.pass(name), other.pass(name)) else {
            continue;
        };
        if a.spec != b.spec {
            found.push(Difference {
                field: format!("options of {name}"),
                first: a.spec.clone(),
                other: b.spec.clone(),
            });
        }
        if a.version != b.version && !across_versions {
            found.push(Difference {
                field: format!("version of {name}"),
                first: a.version.to_string(),
                other: b.version.to_string(),
            });
        }
    }
    found
}

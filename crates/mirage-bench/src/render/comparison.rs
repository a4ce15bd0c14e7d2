//! Comparisons of ledgers as a table.

use super::number::factor;
use super::table::{Cells, Table, build, number, words};
use crate::compare::{Comparison, Finding, RowComparison};
use crate::stats::Verdict;

/// A comparison, row by row. Ratios are of times: above 1 the other is slower. Where `none` moved, a row's
/// verdict is that of its ratio to `none`.
pub fn comparison(comparison: &Comparison) -> Table {
    match comparison.none_moved {
        Some(_) => build(MOVED, &comparison.rows),
        None => build(COLUMNS, &comparison.rows),
    }
}

/// That `none` moved, and what that means; `None` where it did not.
pub fn none_moved(comparison: &Comparison) -> Option<String> {
    let ratio = comparison.none_moved?;
    Some(format!(
        "the time of `none` itself changed to {} of that in the first ledger: the machine or the program as a \
         whole has another speed. Verdicts use each row's time relative to `none`",
        factor(ratio.estimate, Some(&ratio))
    ))
}

const COLUMNS: &[Cells<RowComparison>] = &[
    ROW,
    RATIO,
    (words("verdict", "verdict"), |r| {
        Some(verdict(&r.finding, false).to_owned())
    }),
    WHY,
];

const MOVED: &[Cells<RowComparison>] = &[
    ROW,
    RATIO,
    (number("relative_ratio", "relative to none"), |r| {
        match &r.finding {
            Finding::Compared { relative, .. } => relative.map(|i| factor(i.estimate, Some(&i))),
            Finding::Broken { .. } | Finding::NotComparable { .. } => None,
        }
    }),
    (words("verdict", "verdict"), |r| {
        Some(verdict(&r.finding, true).to_owned())
    }),
    WHY,
];

const ROW: Cells<RowComparison> = (words("row", "row"), |r| Some(r.label.clone()));

const RATIO: Cells<RowComparison> = (number("time_ratio", "time / first"), |r| match &r.finding {
    Finding::Compared { ratio, .. } => Some(factor(ratio.estimate, Some(ratio))),
    Finding::Broken { .. } | Finding::NotComparable { .. } => None,
});

const WHY: Cells<RowComparison> = (words("why", "reason"), |r| match &r.finding {
    Finding::Compared { .. } => None,
    Finding::Broken { reason } => Some(reason.clone()),
    Finding::NotComparable { reasons } => Some(reasons.join("; ")),
});

fn verdict(finding: &Finding, moved: bool) -> &'static str {
    match finding {
        Finding::Compared {
            change,
            relative_change,
            ..
        } => match relative_change.filter(|_| moved).unwrap_or(*change) {
            Verdict::Same => "same",
            change => change.words(),
        },
        Finding::Broken { .. } => "broken",
        Finding::NotComparable { .. } => "not comparable",
    }
}

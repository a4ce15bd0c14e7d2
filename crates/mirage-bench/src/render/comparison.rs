//! Comparisons of ledgers as a table.

use super::columns::verdict_words;
use super::number::factor;
use super::table::{Cells, Table, build, number, words};
use crate::compare::{Comparison, Finding, RowComparison};
use crate::stats::Verdict;

/// A comparison, row by row. The ratio is of times: above 1 the other is slower.
pub fn comparison(comparison: &Comparison) -> Table {
    build(COLUMNS, &comparison.rows)
}

const COLUMNS: &[Cells<RowComparison>] = &[
    (words("row", "row"), |r| Some(r.label.clone())),
    (number("time_ratio", "time by first"), |r| {
        match &r.finding {
            Finding::Compared { ratio, .. } => Some(factor(ratio.estimate, Some(ratio))),
            Finding::Broken { .. } | Finding::NotComparable { .. } => None,
        }
    }),
    (words("verdict", "verdict"), |r| {
        Some(verdict(&r.finding).to_owned())
    }),
    (words("why", "why"), |r| match &r.finding {
        Finding::Compared { .. } => None,
        Finding::Broken { reason } => Some(reason.clone()),
        Finding::NotComparable { reasons } => Some(reasons.join("; ")),
    }),
];

fn verdict(finding: &Finding) -> &'static str {
    match finding {
        Finding::Compared {
            change: Verdict::Same,
            ..
        } => "same",
        Finding::Compared { change, .. } => verdict_words(*change),
        Finding::Broken { .. } => "broken",
        Finding::NotComparable { .. } => "not comparable",
    }
}

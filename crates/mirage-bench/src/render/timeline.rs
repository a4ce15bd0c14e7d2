//! Rows over time as a table.

use super::number::{factor, short, with_interval};
use super::table::{Cells, Table, build, number, words};
use crate::history::{Group, Point, RowHistory};
use crate::stats::{DEFAULT_MARGIN, Verdict};

/// A row each: how many ledgers have it, its first and last median, and what the last one changed.
pub fn table(group: &Group) -> Table {
    build(COLUMNS, &group.rows)
}

/// What a group's numbers are of.
pub fn title(group: &Group) -> String {
    let w = &group.work;
    let [_, _, height, width] = w.shape;
    format!(
        "{} at {width}×{height}, {}, {} step{} per frame, on {}",
        w.model,
        w.dtype,
        w.steps,
        if w.steps == 1 { "" } else { "s" },
        w.backend
    )
}

const COLUMNS: &[Cells<RowHistory>] = &[
    (words("row", "row"), |r| Some(r.label.clone())),
    (number("ledgers", "ledgers"), |r| {
        Some(r.points.len().to_string())
    }),
    (words("first_at", "first"), |r| {
        Some(day(r.points.first()?))
    }),
    (number("first_ms", "ms"), |r| {
        Some(short(r.points.first()?.p50_ms))
    }),
    (words("last_at", "last"), |r| Some(day(r.points.last()?))),
    (number("last_ms", "ms"), |r| {
        let last = r.points.last()?;
        Some(
            last.interval
                .map_or_else(|| short(last.p50_ms), |i| with_interval(&i)),
        )
    }),
    (number("change", "time / previous"), |r| {
        let change = r.change?;
        Some(factor(change.estimate, Some(&change)))
    }),
    (words("verdict", "verdict"), |r| Some(verdict(r).to_owned())),
];

fn verdict(row: &RowHistory) -> &'static str {
    let last = row.points.last();
    match (&row.change, row.points.len()) {
        (_, 0 | 1) => "first",
        (None, _) if last.is_some_and(|p| p.machine_changed) => "another machine",
        (None, _) => "too few samples",
        (Some(change), _) => Verdict::of_time_ratio(change, DEFAULT_MARGIN).words(),
    }
}

/// The day of a measurement, without its hour.
pub(super) fn day(point: &Point) -> String {
    let told = point.measured_at.as_deref().and_then(|t| t.get(..10));
    told.unwrap_or("no date").to_owned()
}

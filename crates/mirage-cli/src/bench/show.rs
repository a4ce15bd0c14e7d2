//! Prints a ledger.

use mirage_bench::{
    ledger::{Ledger, Outcome},
    render::{self, Table},
};

use super::BenchArgs;
use crate::{
    error::{Ending, Result},
    output::Stream,
    table::{self, Facts},
    units,
};

/// The columns of the four tables on a terminal: gains, times and rates, sizes, errors. Files and markdown
/// have one table.
const TABLES: [&[&str]; 4] = [
    &[
        "row",
        "p50_ms",
        "against_none",
        "verdict_none",
        "against_before",
        "verdict_before",
    ],
    &[
        "row",
        "fps",
        "p95_ms",
        "p99_ms",
        "outliers",
        "gflops",
        "gbytes",
        "roofline_percent",
    ],
    &[
        "row",
        "compile_ms",
        "rewrites",
        "weight_mb",
        "planned_peak_mb",
        "measured_peak_mb",
        "resident_mb",
    ],
    &[
        "row",
        "max_abs",
        "relative_l2",
        "numerics",
        "psnr_db",
        "ssim",
        "loop_psnr_db",
        "loop_ssim",
    ],
];

/// Prints the ledger in the requested format.
pub(super) fn show(args: &BenchArgs, ledger: &Ledger) -> Result<()> {
    if args.json {
        return Stream::Stdout.emit(&ledger.to_json().failure()?);
    }
    let table = render::table(ledger).without_empty_columns();
    let mut parts = Vec::new();
    if args.markdown {
        parts.push(render::markdown(&table));
    } else {
        parts.push(facts(ledger).to_string());
        parts.extend(TABLES.iter().map(|keys| ruled(&folded(only(&table, keys)))));
        parts.extend(notes(ledger));
    }
    if let Some(shapley) = &ledger.shapley {
        let shares = render::shares(shapley);
        parts.push(match args.markdown {
            true => render::markdown(&shares),
            false => ruled(&shares),
        });
    }
    let warning = |warning: &String| format!("warning: {warning}\n");
    parts.extend(ledger.warnings.iter().map(warning));
    Stream::Stdout.emit(&parts.join("\n"))
}

/// Lists the sets that failed and why, once each.
pub(super) fn failures(ledger: &Ledger) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for row in &ledger.rows {
        if let Outcome::Failed(why) = &row.outcome {
            let passes = match row.passes.is_empty() {
                true => row.label.clone(),
                false => row.passes.join(","),
            };
            let failure = format!("{passes}: {why}");
            if !found.contains(&failure) {
                found.push(failure);
            }
        }
    }
    found
}

/// Lists model, backend and method.
fn facts(ledger: &Ledger) -> Facts {
    let (s, m) = (&ledger.setting, &ledger.method);
    let [_, _, height, width] = s.shape;
    let mut facts = Facts::new(Stream::Stdout).names(14);
    let steps = units::plural(s.steps as u64, "step");
    facts.fact(
        "model",
        format!(
            "{} at {width}x{height}, {steps} per frame, {} before passes",
            s.model.name, s.dtype
        ),
    );
    facts.fact(
        "backend",
        format!(
            "{} ({}) on {}, {}",
            s.backend.name, s.backend.engine, s.machine.device, s.machine.details
        ),
    );
    if let Some(roofline) = &s.machine.roofline {
        facts.fact(
            "roofline",
            format!(
                "{:.0} GFLOP/s, {:.1} GB/s",
                roofline.gflops, roofline.gbytes
            ),
        );
    }
    let processes = match m.processes {
        1 => "one process".to_owned(),
        n => format!("{n} processes"),
    };
    facts.fact(
        "measured",
        format!(
            "all sets in turn in {processes}, {:.0} s; warm-up {}",
            m.elapsed_s, m.warm_up
        ),
    );
    facts
}

/// Merges rows that are equal in every column but the first, and joins their names.
fn folded(table: Table) -> Table {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for row in table.rows {
        let (name, cells) = row.split_at(1);
        match rows.iter_mut().find(|known| known[1..] == *cells) {
            Some(known) => known[0] = format!("{}, {}", known[0], name[0]),
            None => rows.push(row),
        }
    }
    Table { rows, ..table }
}

/// Formats some columns of a table for a terminal.
pub(super) fn columns(table: &Table, keys: &[&str]) -> String {
    ruled(&only(table, keys))
}

fn only(table: &Table, keys: &[&str]) -> Table {
    let places: Vec<usize> = keys
        .iter()
        .filter_map(|key| table.columns.iter().position(|c| c.key == *key))
        .collect();
    let row = |row: &Vec<String>| places.iter().map(|&i| row[i].clone()).collect();
    Table {
        columns: places.iter().map(|&i| table.columns[i]).collect(),
        rows: table.rows.iter().map(row).collect(),
    }
}

/// Lists the notes on the rows, once each.
fn notes(ledger: &Ledger) -> Vec<String> {
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for row in &ledger.rows {
        let failed = match &row.outcome {
            Outcome::Measured => None,
            Outcome::Failed(why) => Some(format!("failed: {why}")),
            Outcome::Illegal(why) => Some(format!("illegal set: {why}")),
        };
        for note in row.notes.iter().cloned().chain(failed) {
            match notes.iter_mut().find(|(known, _)| *known == note) {
                Some((_, rows)) => rows.push(&row.label),
                None => notes.push((note, vec![&row.label])),
            }
        }
    }
    let line = |(note, rows): &(String, Vec<&str>)| format!("note: {note} ({})\n", rows.join("; "));
    notes.iter().map(line).collect()
}

/// Formats a table for a terminal.
pub(super) fn ruled(table: &Table) -> String {
    table::ruled(Stream::Stdout, table)
}

#[cfg(test)]
mod tests {
    use mirage_bench::render::{Column, Table};

    use super::folded;

    #[test]
    fn rows_that_are_alike_are_one_row() {
        let column = |key| Column {
            key,
            title: key,
            numeric: false,
        };
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let table = Table {
            columns: vec![column("row"), column("p50_ms"), column("against_none")],
            rows: vec![
                row(["none", "2.0", ""]),
                row(["sdpa", "1.0", "2.0×"]),
                row(["fuse", "1.5", "1.3×"]),
                row(["+ sdpa", "1.0", "2.0×"]),
                row(["all", "1.0", "2.0×"]),
            ],
        };
        let names: Vec<String> = folded(table)
            .rows
            .into_iter()
            .map(|r| r[0].clone())
            .collect();
        assert_eq!(names, ["none", "sdpa, + sdpa, all", "fuse"]);
    }
}

//! The table of passes and the notes below it.

use comfy_table::Cell;
use mirage_stream::{GraphChange, PassReport, RunReport};

use super::show::NAMES;
use crate::{
    output::Stream,
    table::{Align, Facts, Rows, bad, bold, dim, text},
    units::{bytes, bytes_change, flops, milliseconds},
};

/// Number of notes per pass that are shown by default.
const NOTES: usize = 2;

/// Returns the table of passes, their notes and the total. Automatic passes that changed nothing share
/// a row unless `all` is set.
pub(super) fn passes(report: &RunReport, all: bool, stream: Stream) -> String {
    let hidden = |p: &&PassReport| p.automatic && p.rewrites == 0 && !all;
    let (folded, shown): (Vec<_>, Vec<_>) = report.passes.iter().partition(hidden);
    let columns = [
        ("pass", Align::Left),
        ("phase", Align::Left),
        ("rewrites", Align::Right),
        ("time", Align::Right),
        ("weights", Align::Right),
        ("activations", Align::Right),
    ];
    let mut rows = Rows::new(stream, &columns).keep_whole(0..6);
    shown.iter().for_each(|pass| rows.row(row(pass)));
    if !folded.is_empty() {
        rows.row(folded_row(&folded));
    }
    rows.row(total(report));

    let mut facts = Facts::new(stream).names(NAMES);
    for pass in shown.iter().filter(|p| !p.notes.is_empty()) {
        let note = notes(pass, all);
        facts.styled(
            pass.name,
            if pass.rewrites == 0 {
                bad(note)
            } else {
                text(note)
            },
        );
    }
    if !folded.is_empty() {
        let names = tally(&folded);
        facts.styled(
            "automatic",
            dim(format!("changed nothing: {names} (use -v to show each)")),
        );
    }
    facts.fact("graph", graph(&report.graph));
    format!("{rows}\n{facts}")
}

fn row(pass: &PassReport) -> [Cell; 6] {
    let name = match (pass.rewrites, pass.automatic) {
        (0, _) => dim(pass.name),
        (_, true) => text(pass.name),
        (_, false) => bold(pass.name),
    };
    [
        name,
        dim(pass.phase),
        text(pass.rewrites),
        text(milliseconds(pass.time_ms)),
        text(bytes_change(pass.weight_bytes_change)),
        text(bytes_change(pass.activation_bytes_change)),
    ]
}

fn folded_row(passes: &[&PassReport]) -> [Cell; 6] {
    let time = passes.iter().map(|p| p.time_ms).sum();
    [
        dim(format!("{} automatic", passes.len())),
        dim(""),
        dim(0),
        dim(milliseconds(time)),
        dim("·"),
        dim("·"),
    ]
}

fn total(report: &RunReport) -> [Cell; 6] {
    let time = report.passes.iter().map(|p| p.time_ms).sum();
    let rewrites: usize = report.passes.iter().map(|p| p.rewrites).sum();
    let change = |[before, after]: [u64; 2]| bold(bytes_change(after as i64 - before as i64));
    [
        bold("total"),
        text(""),
        bold(rewrites),
        bold(milliseconds(time)),
        change(report.graph.weight_bytes),
        change(report.graph.activation_bytes),
    ]
}

fn notes(pass: &PassReport, all: bool) -> String {
    let shown = if all {
        pass.notes.len()
    } else {
        NOTES.min(pass.notes.len())
    };
    let mut notes = pass.notes[..shown].join("; ");
    let more = pass.notes.len() - shown;
    if more > 0 {
        notes.push_str(&format!("; and {more} more (use -v)"));
    }
    notes
}

/// `a ×2, b`
fn tally(passes: &[&PassReport]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for pass in passes {
        match names.iter_mut().find(|(name, _)| *name == pass.name) {
            Some((_, count)) => *count += 1,
            None => names.push((pass.name, 1)),
        }
    }
    let times = |(name, count): (&str, usize)| match count {
        1 => name.to_owned(),
        _ => format!("{name} ×{count}"),
    };
    names.into_iter().map(times).collect::<Vec<_>>().join(", ")
}

fn graph(change: &GraphChange) -> String {
    let arrow = |unit: fn(u64) -> String, [before, after]: [u64; 2]| {
        let (before, after) = (unit(before), unit(after));
        match before == after {
            true => after,
            false => format!("{before} → {after}"),
        }
    };
    let nodes = change.nodes.map(|n| n as u64);
    format!(
        "{} nodes; {} of weights, {} of activations and {} per frame",
        arrow(|n| n.to_string(), nodes),
        arrow(bytes, change.weight_bytes),
        arrow(bytes, change.activation_bytes),
        arrow(flops, change.flops),
    )
}

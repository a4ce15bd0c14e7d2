//! The columns of rows of a profile.

use crate::{
    profile::Row,
    render::{
        Table,
        number::brief,
        table::{Cells, build, number, words},
    },
};

/// What rows tell beside their names.
pub(super) const NUMBERS: [Cells<Row>; 10] = [
    (number("nodes", "nodes"), |r| {
        (r.nodes > 0).then(|| r.nodes.to_string())
    }),
    (number("ms", "ms"), |r| Some(brief(r.ms))),
    (number("share", "share %"), |r| {
        Some(format!("{:.1}", 100.0 * r.share))
    }),
    (number("gflop", "GFLOP"), |r| {
        (r.flops > 0).then(|| brief(r.flops as f64 / 1e9))
    }),
    (number("mb", "MB"), |r| {
        (r.bytes > 0).then(|| brief(r.bytes as f64 / 1e6))
    }),
    (number("intensity", "FLOP/B"), |r| r.intensity.map(brief)),
    (number("gflops", "GFLOP/s"), |r| r.gflops.map(brief)),
    (number("gbytes", "GB/s"), |r| r.gbytes.map(brief)),
    (number("roofline_percent", "% roof"), |r| {
        r.roofline_percent.map(brief)
    }),
    (number("memory_mb", "alive MB"), |r| {
        r.memory_bytes.map(|b| brief(b as f64 / 1e6))
    }),
];

/// Rows as a table under a title for what they are: operation, layer, node.
pub fn profile_table<'a>(title: &'static str, rows: impl IntoIterator<Item = &'a Row>) -> Table {
    let name: Cells<Row> = (words("name", title), |r| Some(r.name.clone()));
    let columns: Vec<Cells<Row>> = [name].into_iter().chain(NUMBERS).collect();
    build(&columns, rows)
}

//! Prints a profile.

use mirage_bench::{
    profile::{Clock, Layer, Profile, Row},
    render::{self, Table},
};

use super::{ProfileArgs, arguments::Grouping};
use crate::{output::Stream, table::ruled, units};

/// The columns that fit on a terminal.
const COLUMNS: &[&str] = &[
    "name",
    "ms",
    "share",
    "gflop",
    "mb",
    "intensity",
    "gflops",
    "roofline_percent",
    "memory_mb",
];

/// Returns the requested table, followed by facts about the whole frame.
pub(super) fn text(args: &ProfileArgs, profile: &Profile) -> String {
    let s = &profile.setting;
    let [_, _, height, width] = s.shape;
    let passes = match profile.pipeline.is_empty() {
        true => "no passes",
        false => &profile.pipeline,
    };
    let (table, left) = table(args, profile);
    let more = match left {
        0 => String::new(),
        n => format!("{n} more rows (use --top N to show more)\n"),
    };
    format!(
        "{} at {width}x{height}, {}, {} per frame, {passes}, on {} ({})\n\n{}{more}\n{}",
        s.model.name,
        s.dtype,
        units::plural(s.steps as u64, "step"),
        s.backend.name,
        s.machine.device,
        ruled(Stream::Stdout, &table),
        frame(profile, args.limits.origin()),
    )
}

/// Returns the rows to show, and the number of hidden rows.
fn table(args: &ProfileArgs, profile: &Profile) -> (Table, usize) {
    let (title, mut rows) = match (args.layers, args.by) {
        (true, _) => return tree(args, profile),
        (false, Grouping::Op) => ("operation", profile.operations()),
        (false, Grouping::Node) => ("node", profile.node_rows()),
    };
    args.sort.sort().sort(&mut rows);
    let left = rows.len().saturating_sub(args.top as usize);
    rows.truncate(args.top as usize);
    (columns(render::profile_table(title, &rows)), left)
}

/// Returns the slowest layers in the order of the tree, followed by the time that no layer covers.
fn tree(args: &ProfileArgs, profile: &Profile) -> (Table, usize) {
    let tree = profile.layers(args.sort.sort());
    let layers = tree.flat(usize::from(args.depth));
    // A layer takes at least the time of its children and precedes them, so parents of a kept layer are
    // kept too.
    let mut slowest: Vec<usize> = (0..layers.len()).collect();
    slowest.sort_by(|&a, &b| layers[b].row.ms.total_cmp(&layers[a].row.ms));
    slowest.truncate(args.top as usize);
    let kept = |(i, layer): (usize, &&Layer)| {
        let indented = || Row {
            name: format!("{}{}", "  ".repeat(layer.depth - 1), layer.row.name),
            ..layer.row.clone()
        };
        slowest.contains(&i).then(indented)
    };
    let mut rows: Vec<Row> = layers.iter().enumerate().filter_map(kept).collect();
    rows.push(Row::uncovered(&profile.frame));
    let left = layers.len() - slowest.len();
    (columns(render::profile_table("layer", &rows)), left)
}

/// Keeps the columns that fit on a terminal and are not empty.
fn columns(table: Table) -> Table {
    table.only(COLUMNS).without_empty_columns()
}

/// Returns facts about the whole frame. `how` says where the roofline comes from.
fn frame(profile: &Profile, how: &str) -> String {
    let (f, m) = (&profile.frame, &profile.memory);
    let ms = units::milliseconds;
    let roofline = match (
        &profile.setting.machine.roofline,
        profile.roofline_percent(),
    ) {
        (Some(r), Some(percent)) => format!(
            "all nodes together reach {percent:.0} % of the roofline ({:.0} GFLOP/s, {:.1} GB/s, {how})\n",
            r.gflops, r.gbytes
        ),
        _ => String::new(),
    };
    let peak = match m.timeline.iter().find(|n| Some(n.node) == m.peak_node) {
        Some(n) if n.path.is_empty() => format!(", at %{} {}", n.node, n.op),
        Some(n) => format!(", at %{} {} {}", n.node, n.op, n.path),
        None => String::new(),
    };
    let warnings: String = profile
        .warnings
        .iter()
        .map(|w| format!("warning: {w}\n"))
        .collect();
    let covered = match f.clock {
        Clock::Host => format!(
            "nodes take {:.1} % of the profiled frame; {} are outside of nodes, {} of it before the first and {} after the last",
            f.covered_percent,
            ms(f.uncovered_ms),
            ms(f.before_ms),
            ms(f.after_ms)
        ),
        Clock::Device => format!(
            "nodes take {} on the device, each measured alone: {:.1} % of the frame; {} are launches, copies and gaps",
            ms(f.nodes_ms),
            f.covered_percent,
            ms(f.uncovered_ms)
        ),
    };
    let overhead = f.overhead.map_or_else(
        || ", because profiling waits for the device after every node".to_owned(),
        |o| format!(": {}", o.words()),
    );
    format!(
        "a frame takes {}, with profiling {}{overhead}\n\
         {covered}\n\
         {} with profiling, {} without, after a warm-up of {}\n\
         {roofline}peak of activations: {}{peak}\n{warnings}",
        ms(f.plain_ms),
        ms(f.profiled_ms),
        units::plural(f.profiled_frames as u64, "frame"),
        f.plain_frames,
        f.warmup,
        units::bytes(m.peak_bytes),
    )
}

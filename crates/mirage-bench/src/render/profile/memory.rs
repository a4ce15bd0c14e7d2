//! The memory timeline as SVG.

use maud::{Markup, html};

use crate::{
    profile::{Alive, Memory, MemoryAt},
    render::{
        Table,
        number::{megabytes, short},
        page::axis::{at, fine, tick, ticks},
        table::{Cells, build, number, words},
    },
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 48.0;

/// A node in the chart.
struct Bar<'a> {
    node: &'a MemoryAt,
    /// From here to there, ms from the first node's start.
    from: f64,
    to: f64,
}

/// Bytes of activations alive along a frame: a bar a node, as wide as its time.
pub(super) fn chart(memory: &Memory) -> Markup {
    let mut end = 0.0;
    let bars: Vec<Bar<'_>> = memory
        .timeline
        .iter()
        .map(|node| {
            let from = end;
            end += node.ms;
            Bar {
                node,
                from,
                to: end,
            }
        })
        .collect();
    let span = if end > 0.0 { end } else { 1.0 };
    let planned = memory.held_bytes.unwrap_or(memory.planned_peak_bytes);
    let most = 1.08 * memory.peak_bytes.max(planned).max(1) as f64 / 1e6;
    let floor = HEIGHT - BOTTOM;
    let x = |ms: f64| LEFT + (WIDTH - LEFT - RIGHT) * ms / span;
    let y = |megabytes: f64| floor - (floor - TOP) * megabytes / most;
    let peak = bars
        .iter()
        .find(|b| Some(b.node.node) == memory.peak_node)
        .map(|b| (x((b.from + b.to) / 2.0), y(b.node.bytes as f64 / 1e6)));
    let planned_at = y(planned as f64 / 1e6);
    // At the side where the peak is not.
    let (planned_x, planned_end) = match peak {
        Some((x, _)) if x > WIDTH / 2.0 => (LEFT + 4.0, "start"),
        _ => (WIDTH - RIGHT, "end"),
    };
    html! {
        svg role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby="memory-title"
            aria-describedby="memory-text" {
            title id="memory-title" { "Activations alive during a frame" }
            desc id="memory-text" { (said(memory)) }
            @for megabytes in ticks(0.0, most) {
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y(megabytes))) y2=(at(y(megabytes))) {}
                text.tick x=(at(LEFT - 8.0)) y=(at(y(megabytes) + 4.0)) text-anchor="end" { (tick(megabytes)) }
            }
            @for ms in ticks(0.0, span) {
                text.tick x=(at(x(ms))) y=(at(floor + 18.0)) text-anchor="middle" { (tick(ms)) }
            }
            g.alive {
                @for bar in bars.iter().filter(|b| b.to > b.from) { (rect(bar, &x, &y, floor)) }
            }
            line.reference x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(planned_at)) y2=(at(planned_at)) {}
            text.tick x=(at(planned_x)) y=(at(planned_at - 5.0)) text-anchor=(planned_end) {
                (if memory.held_bytes.is_some() { "held" } else { "planned" }) " by the backend: "
                (megabytes(planned)) " MB"
            }
            @if let Some((x, y)) = peak {
                circle.mark cx=(at(x)) cy=(at(y)) r="4" {}
                text.said x=(at(x)) y=(at(y - 8.0)) text-anchor=(if x > WIDTH / 2.0 { "end" } else { "start" }) {
                    "peak " (megabytes(memory.peak_bytes)) " MB"
                }
            }
            line.base x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(floor)) y2=(at(floor)) {}
            text.axis x=(at((LEFT + WIDTH - RIGHT) / 2.0)) y=(at(HEIGHT - 8.0)) text-anchor="middle" {
                "time of nodes, ms"
            }
            text.axis transform=(format!("translate(16 {}) rotate(-90)", at(HEIGHT / 2.0))) text-anchor="middle" {
                "MB alive"
            }
        }
    }
}

fn rect(bar: &Bar<'_>, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64, floor: f64) -> Markup {
    let MemoryAt {
        node,
        op,
        path,
        ms,
        bytes,
    } = bar.node;
    let top = y(*bytes as f64 / 1e6);
    html! {
        rect x=(fine(x(bar.from))) y=(at(top)) width=(fine(x(bar.to) - x(bar.from)))
            height=(at(floor - top)) {
            title { "%" (node) " " (op) " " (path) ": " (megabytes(*bytes)) " MB alive, " (short(*ms)) " ms" }
        }
    }
}

fn said(memory: &Memory) -> String {
    let peak = megabytes(memory.peak_bytes);
    let node = memory
        .timeline
        .iter()
        .find(|n| Some(n.node) == memory.peak_node);
    match node {
        Some(n) => format!(
            "The peak of {peak} MB is at node %{}, {} {}",
            n.node, n.op, n.path
        ),
        None => format!("The peak is {peak} MB"),
    }
}

/// What is alive at the peak, the largest first.
pub(super) fn at_peak(memory: &Memory) -> Table {
    let columns: [Cells<Alive>; 6] = [
        (words("from", "value"), |a| Some(a.from.clone())),
        (words("path", "layer"), |a| Some(a.path.clone())),
        (words("type", "type"), |a| Some(a.ty.clone())),
        (number("mb", "MB"), |a| Some(megabytes(a.bytes))),
        (number("node", "written by"), |a| {
            a.node.map(|n| format!("%{n}"))
        }),
        (number("until", "last read by"), |a| {
            let last = a.until.map(|n| format!("%{n}"));
            Some(last.unwrap_or_else(|| "held".to_owned()))
        }),
    ];
    build(&columns, &memory.alive_at_peak)
}

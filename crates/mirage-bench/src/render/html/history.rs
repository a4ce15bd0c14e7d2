//! Saved ledgers over time as a page: a chart a row.

use maud::{Markup, html};

use crate::history::{Group, History, Point, RowHistory};
use crate::render::number::{short, with_interval};
use crate::render::page::axis::{at, tick, ticks};
use crate::render::page::{data_table, document};
use crate::render::timeline;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
/// Dates that fit below a chart.
const DATES: usize = 4;

/// The history as a page of HTML: no network, no script, light and dark.
pub fn history_page(history: &History) -> String {
    let body = html! {
        h1 { "Ledgers over time" }
        p {
            "Median times of saved ledgers in the order of measurement, in ms per frame, with 95 % intervals. A dashed line marks a change of machine; times before and after it cannot be compared. The time axis does not start at zero."
        }
        @if history.groups.is_empty() { p { "No ledgers with measured rows." } }
        @for (index, group) in history.groups.iter().enumerate() { (section(index, group)) }
        @if !history.unreadable.is_empty() {
            section.warnings aria-label="Skipped files" {
                h2 { "Skipped files" }
                ul { @for file in &history.unreadable { li { (file.file) ": " (file.reason) } } }
            }
        }
    };
    document("Ledgers over time", &body)
}

fn section(index: usize, group: &Group) -> Markup {
    let title = timeline::title(group);
    html! {
        section {
            h2 { (title) }
            (machines(group))
            div.charts {
                @for (row, history) in group.rows.iter().enumerate() {
                    figure {
                        figcaption {
                            strong { (history.label) }
                            @if let Some(last) = history.points.last() { " " (time(last)) " ms" }
                        }
                        (chart(&format!("h{index}-{row}"), history))
                    }
                }
            }
            (data_table(&title, &timeline::table(group)))
        }
    }
}

/// The machines in the order in which they come.
fn machines(group: &Group) -> Markup {
    let mut seen: Vec<&str> = Vec::new();
    for point in group.rows.iter().flat_map(|r| &r.points) {
        if !seen.contains(&&*point.machine) {
            seen.push(&point.machine);
        }
    }
    html! {
        p { @if seen.len() == 1 { "Machine: " } @else { "Machines: " } (seen.join("; ")) }
    }
}

/// Places of points; the least and the most that is drawn span the height.
struct Axes {
    points: usize,
    low: f64,
    high: f64,
}

impl Axes {
    fn of(points: &[Point]) -> Self {
        let ends = points.iter().flat_map(|p| {
            [
                p.p50_ms,
                p.interval.map_or(p.p50_ms, |i| i.low),
                p.interval.map_or(p.p50_ms, |i| i.high),
            ]
        });
        let (low, high) = ends.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        // At least a tenth of the time, so that noise does not look like a change.
        let room = (0.1 * high - (high - low)).max(0.0) / 2.0 + 0.05 * (high - low);
        Axes {
            points: points.len(),
            low: (low - room).max(0.0),
            high: high + room,
        }
    }

    fn x(&self, index: usize) -> f64 {
        let width = WIDTH - LEFT - RIGHT;
        LEFT + width * (index as f64 + 0.5) / self.points as f64
    }

    fn y(&self, ms: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        TOP + height * (self.high - ms) / (self.high - self.low)
    }
}

fn chart(id: &str, row: &RowHistory) -> Markup {
    let axes = Axes::of(&row.points);
    let floor = HEIGHT - BOTTOM;
    let every = row.points.len().div_ceil(DATES).max(1);
    html! {
        svg.small-chart role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby=(format!("{id}-title")) {
            title id=(format!("{id}-title")) {
                (row.label) ": " @for point in &row.points { (said(point)) "; " }
            }
            @for ms in ticks(axes.low, axes.high) {
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(axes.y(ms))) y2=(at(axes.y(ms))) {}
                text.tick x=(at(LEFT - 6.0)) y=(at(axes.y(ms) + 4.0)) text-anchor="end" { (tick(ms)) }
            }
            @for points in trends(&axes, &row.points) { polyline.trend points=(points) {} }
            @for (index, point) in row.points.iter().enumerate() {
                @let x = axes.x(index);
                @if point.machine_changed {
                    @let between = (axes.x(index - 1) + x) / 2.0;
                    line.reference x1=(at(between)) x2=(at(between)) y1=(at(TOP)) y2=(at(floor)) {}
                }
                g.plain {
                    title { (said(point)) }
                    @if let Some(interval) = point.interval {
                        line.whisker x1=(at(x)) x2=(at(x)) y1=(at(axes.y(interval.low)))
                            y2=(at(axes.y(interval.high))) {}
                    }
                    circle.point cx=(at(x)) cy=(at(axes.y(point.p50_ms))) r="4" {}
                }
                @if index % every == 0 {
                    text.tick x=(at(x)) y=(at(floor + 18.0)) text-anchor="middle" { (timeline::day(point)) }
                }
            }
        }
    }
}

/// The lines through the points, one a machine.
fn trends(axes: &Axes, points: &[Point]) -> Vec<String> {
    let mut lines: Vec<Vec<String>> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let place = format!("{},{}", at(axes.x(index)), at(axes.y(point.p50_ms)));
        match lines.last_mut().filter(|_| !point.machine_changed) {
            Some(line) => line.push(place),
            None => lines.push(vec![place]),
        }
    }
    lines.iter().map(|line| line.join(" ")).collect()
}

/// The median with its interval, ms.
fn time(point: &Point) -> String {
    match &point.interval {
        Some(interval) => with_interval(interval),
        None => short(point.p50_ms),
    }
}

fn said(point: &Point) -> String {
    let when = point.measured_at.as_deref().unwrap_or("no time");
    format!(
        "{} ms, {when}, Mirage {}, {}",
        time(point),
        point.mirage,
        point.file
    )
}

//! Time against error, a point a set of passes, as SVG.

use maud::{Markup, html};

use super::bars::Tone;
use crate::{
    ledger::{Ledger, Row},
    render::{
        number::short,
        page::axis::{at, tick, ticks},
    },
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 48.0;
/// The strip under the logarithmic axis for frames that are equal to the reference.
const EQUAL: f64 = 44.0;

/// Points closer than this share a label.
const LABEL: f64 = 36.0;

/// A set of passes; rows that show it share it.
struct Point<'a> {
    rows: Vec<usize>,
    row: &'a Row,
    p50_ms: f64,
    /// The relative L2 error; 0 is equal.
    error: f64,
}

/// The chart, or nothing where no error was measured.
pub(super) fn section(ledger: &Ledger) -> Markup {
    let points = points(ledger);
    if points.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Time and error" }
            p { "Each point is a set of passes, labelled with its row numbers in the table. Left is faster, down is closer to f32 without passes." }
            (chart(&points))
        }
    }
}

fn points(ledger: &Ledger) -> Vec<Point<'_>> {
    let mut points: Vec<Point<'_>> = Vec::new();
    for (index, row) in ledger.rows.iter().enumerate() {
        let error = row.error.and_then(|e| e.frame.relative_l2);
        let (Some(times), Some(error)) = (row.times, error) else {
            continue;
        };
        match points.iter_mut().find(|p| p.row.samples == row.samples) {
            Some(point) => point.rows.push(index + 1),
            None => points.push(Point {
                rows: vec![index + 1],
                row,
                p50_ms: times.p50_ms,
                error,
            }),
        }
    }
    points
}

/// Places of values.
struct Axes {
    /// The right end, ms.
    time: f64,
    /// The ends of the error axis, as powers of ten.
    powers: (f64, f64),
}

impl Axes {
    fn of(points: &[Point<'_>]) -> Self {
        let time = points.iter().map(|p| p.p50_ms).fold(0.0, f64::max) * 1.08;
        let powers = points
            .iter()
            .filter(|p| p.error > 0.0)
            .map(|p| p.error.log10());
        let (low, high) = powers.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| {
            (l.min(p.floor()), h.max(p.ceil()))
        });
        let powers = match low.is_finite() {
            true => (low, high.max(low + 1.0)),
            false => (-6.0, 0.0),
        };
        Axes { time, powers }
    }

    fn x(&self, ms: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * ms / self.time
    }

    fn y(&self, error: f64) -> f64 {
        let floor = HEIGHT - BOTTOM - EQUAL;
        if error <= 0.0 {
            return HEIGHT - BOTTOM - EQUAL / 2.0;
        }
        let (low, high) = self.powers;
        floor - (floor - TOP) * (error.log10() - low) / (high - low)
    }
}

fn chart(points: &[Point<'_>]) -> Markup {
    let axes = Axes::of(points);
    let floor = HEIGHT - BOTTOM;
    let powers = axes.powers.0 as i32..=axes.powers.1 as i32;
    html! {
        svg role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby="scatter-title"
            aria-describedby="scatter-text" {
            title id="scatter-title" { "Median time and relative L2 error of each set of passes" }
            desc id="scatter-text" { @for point in points { (said(point)) "; " } }
            @for ms in ticks(0.0, axes.time) {
                line.grid x1=(at(axes.x(ms))) x2=(at(axes.x(ms))) y1=(at(TOP)) y2=(at(floor)) {}
                text.tick x=(at(axes.x(ms))) y=(at(floor + 18.0)) text-anchor="middle" { (tick(ms)) }
            }
            @for power in powers {
                @let y = axes.y(10.0_f64.powi(power));
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y)) y2=(at(y)) {}
                text.tick x=(at(LEFT - 8.0)) y=(at(y + 4.0)) text-anchor="end" { "1e" (power) }
            }
            text.tick x=(at(LEFT - 8.0)) y=(at(axes.y(0.0) + 4.0)) text-anchor="end" { "equal" }
            text.axis x=(at((LEFT + WIDTH - RIGHT) / 2.0)) y=(at(HEIGHT - 8.0)) text-anchor="middle" {
                "median ms per frame"
            }
            text.axis transform=(format!("translate(16 {}) rotate(-90)", at(HEIGHT / 2.0))) text-anchor="middle" {
                "relative L2 error"
            }
            @for point in points {
                (mark(point, &axes))
            }
            @for label in labels(points, &axes) {
                text.number x=(at(label.x)) y=(at(label.y - 9.0)) text-anchor="middle" {
                    (numbers(&label.rows))
                }
            }
        }
    }
}

fn mark(point: &Point<'_>, axes: &Axes) -> Markup {
    let verdict = point.row.against_none.as_ref().and_then(|s| s.verdict);
    let tone = verdict.map_or(Tone::Plain, Tone::of);
    html! {
        g class=(tone.class()) {
            title { (said(point)) }
            circle.point cx=(at(axes.x(point.p50_ms))) cy=(at(axes.y(point.error))) r="5" {}
        }
    }
}

/// The rows of points that lie so close that their numbers would cover each other.
struct Label {
    x: f64,
    y: f64,
    rows: Vec<usize>,
}

fn labels(points: &[Point<'_>], axes: &Axes) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for point in points {
        let (x, y) = (axes.x(point.p50_ms), axes.y(point.error));
        let close = |l: &&mut Label| (l.x - x).abs() < LABEL && (l.y - y).abs() < LABEL / 3.0;
        match labels.iter_mut().find(close) {
            Some(label) => label.rows.extend(&point.rows),
            None => labels.push(Label {
                x,
                y,
                rows: point.rows.clone(),
            }),
        }
    }
    labels
}

fn numbers(rows: &[usize]) -> String {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let rows: Vec<String> = rows.iter().map(usize::to_string).collect();
    rows.join(", ")
}

fn said(point: &Point<'_>) -> String {
    format!(
        "{}: {} ms, error {}",
        point.row.label,
        short(point.p50_ms),
        short(point.error)
    )
}

//! The roofline plot as SVG: the rates of every node and the limits of the machine.

use maud::{Markup, html};

use crate::{
    ledger::Roofline,
    profile::{Node, Profile},
    render::{
        number::short,
        page::axis::{Powers, at},
    },
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 48.0;
/// Radii of the quickest and of the slowest node.
const RADII: (f64, f64) = (2.5, 18.0);
/// Nodes that are labelled, if there is room.
const LABELS: usize = 10;
const LABEL_CHARS: usize = 30;
/// The size of a label's character.
const CHARACTER: (f64, f64) = (5.9, 13.0);

/// A node that computes on memory, so that it has a place.
struct Point<'a> {
    node: &'a Node,
    /// Operations a byte.
    intensity: f64,
    /// Operations a second, in 10⁹.
    gflops: f64,
}

/// The plot; `None` without a roofline, or where no node has a place.
pub(super) fn chart(profile: &Profile) -> Option<Markup> {
    let roofline = profile.setting.machine.roofline.as_ref()?;
    let mut points: Vec<Point<'_>> = profile.nodes.iter().filter_map(Point::of).collect();
    // Small ones are drawn over large ones.
    points.sort_by(|a, b| b.node.ms.total_cmp(&a.node.ms));
    (!points.is_empty()).then(|| draw(roofline, &points))
}

/// How many nodes have no place in the plot, and their time, ms.
pub(super) fn left_out(profile: &Profile) -> (usize, f64) {
    let out = profile.nodes.iter().filter(|n| Point::of(n).is_none());
    out.fold((0, 0.0), |(count, ms), n| (count + 1, ms + n.ms))
}

impl<'a> Point<'a> {
    fn of(node: &'a Node) -> Option<Self> {
        let is_placed = node.flops > 0 && node.bytes > 0 && node.ms > 0.0;
        is_placed.then(|| Point {
            node,
            intensity: node.flops as f64 / node.bytes as f64,
            gflops: node.flops as f64 / (node.ms * 1e6),
        })
    }
}

struct Axes {
    x: Powers,
    y: Powers,
}

impl Axes {
    fn of(roofline: &Roofline, points: &[Point<'_>]) -> Self {
        let ridge = roofline.gflops / roofline.gbytes;
        let intensities = points.iter().map(|p| p.intensity).chain([ridge]);
        let rates = points.iter().map(|p| p.gflops).chain([roofline.gflops]);
        Axes {
            x: Powers::around(intensities, (LEFT, WIDTH - RIGHT)),
            y: Powers::around(rates, (HEIGHT - BOTTOM, TOP)),
        }
    }

    fn place(&self, point: &Point<'_>) -> (f64, f64) {
        (self.x.place(point.intensity), self.y.place(point.gflops))
    }
}

fn draw(roofline: &Roofline, points: &[Point<'_>]) -> Markup {
    let axes = Axes::of(roofline, points);
    let longest = points[0].node.ms;
    let floor = HEIGHT - BOTTOM;
    html! {
        svg role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-labelledby="roofline-title"
            aria-describedby="roofline-text" {
            title id="roofline-title" { "Operations per second of every node, and the roofline" }
            desc id="roofline-text" {
                @for point in points.iter().take(LABELS) { (said(point)) "; " }
            }
            @for power in axes.x.powers() {
                @let x = axes.x.place(10.0_f64.powi(power));
                line.grid x1=(at(x)) x2=(at(x)) y1=(at(TOP)) y2=(at(floor)) {}
                text.tick x=(at(x)) y=(at(floor + 18.0)) text-anchor="middle" { (format_power_of_ten(power)) }
            }
            @for power in axes.y.powers() {
                @let y = axes.y.place(10.0_f64.powi(power));
                line.grid x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y)) y2=(at(y)) {}
                text.tick x=(at(LEFT - 8.0)) y=(at(y + 4.0)) text-anchor="end" { (format_power_of_ten(power)) }
            }
            (roof(roofline, &axes))
            @for point in points {
                @let (x, y) = axes.place(point);
                circle.node cx=(at(x)) cy=(at(y)) r=(at(radius(point, longest))) {
                    title { (said(point)) }
                }
            }
            @for label in labels(points, &axes, longest) {
                text.number x=(at(label.x)) y=(at(label.y)) { (label.text) }
            }
            text.axis x=(at((LEFT + WIDTH - RIGHT) / 2.0)) y=(at(HEIGHT - 8.0)) text-anchor="middle" {
                "operations per byte (FLOP/B)"
            }
            text.axis transform=(format!("translate(16 {}) rotate(-90)", at(HEIGHT / 2.0))) text-anchor="middle" {
                "GFLOP/s"
            }
        }
    }
}

/// The slope of memory, then the flat of arithmetic.
fn roof(roofline: &Roofline, axes: &Axes) -> Markup {
    let ridge = roofline.gflops / roofline.gbytes;
    let start = axes.x.low().max(axes.y.low() / roofline.gbytes);
    let (x0, y0) = (axes.x.place(start), axes.y.place(start * roofline.gbytes));
    let (x1, y1) = (axes.x.place(ridge), axes.y.place(roofline.gflops));
    let end = WIDTH - RIGHT;
    let slope = (y1 - y0).atan2(x1 - x0).to_degrees();
    // A quarter of the way up, where few nodes are.
    let (mx, my) = (x0 + 0.25 * (x1 - x0), y0 + 0.25 * (y1 - y0) - 7.0);
    html! {
        polyline.roof points=(format!("{},{} {},{} {},{}", at(x0), at(y0), at(x1), at(y1), at(end), at(y1))) {}
        text.tick x=(at(end)) y=(at(y1 - 6.0)) text-anchor="end" { (short(roofline.gflops)) " GFLOP/s" }
        text.tick transform=(format!("translate({} {}) rotate({})", at(mx), at(my), at(slope)))
            text-anchor="middle" { (short(roofline.gbytes)) " GB/s" }
    }
}

/// The area says the time.
fn radius(point: &Point<'_>, longest: f64) -> f64 {
    let (least, most) = RADII;
    (most * (point.node.ms / longest).sqrt()).max(least)
}

/// A label, its left end and its base line.
struct Label {
    x: f64,
    y: f64,
    text: String,
}

/// Labels of the slowest nodes that do not cover each other.
fn labels(points: &[Point<'_>], axes: &Axes, longest: f64) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    let large: Vec<(f64, f64, f64)> = points
        .iter()
        .map(|p| (axes.place(p), radius(p, longest)))
        .filter(|(_, r)| *r > CHARACTER.0)
        .map(|((x, y), r)| (x, y, r))
        .collect();
    for point in points.iter().take(4 * LABELS) {
        if labels.len() == LABELS {
            break;
        }
        let (x, y) = axes.place(point);
        let r = radius(point, longest) + 3.0;
        let text = shortened(point.node);
        let width = width(&text);
        let spots = [
            (x + r, y + 4.0),
            (x - r - width, y + 4.0),
            (x - width / 2.0, y - r),
            (x - width / 2.0, y + r + 9.0),
        ];
        let free = |&(x, y): &(f64, f64)| {
            let inside = x > LEFT && x + width < WIDTH - RIGHT && y > TOP && y < HEIGHT - BOTTOM;
            let apart = |l: &Label| {
                (l.y - y).abs() > CHARACTER.1 || l.x > x + width || l.x + self::width(&l.text) < x
            };
            let (middle, half) = (y - 4.0, CHARACTER.1 / 2.0);
            let clear = |&(cx, cy, r): &(f64, f64, f64)| {
                let dx = (x - cx).max(cx - x - width).max(0.0);
                let dy = ((cy - middle).abs() - half).max(0.0);
                dx.hypot(dy) >= r
            };
            inside && labels.iter().all(apart) && large.iter().all(clear)
        };
        if let Some((x, y)) = spots.into_iter().find(free) {
            labels.push(Label { x, y, text });
        }
    }
    labels
}

fn width(text: &str) -> f64 {
    CHARACTER.0 * text.chars().count() as f64
}

/// The operation and the end of the path, which tells most.
fn shortened(node: &Node) -> String {
    let text = match node.path.is_empty() {
        true => node.op.clone(),
        false => format!("{} {}", node.op, node.path),
    };
    match text.chars().count() > LABEL_CHARS {
        true => text.chars().take(LABEL_CHARS - 1).chain(['…']).collect(),
        false => text,
    }
}

fn said(point: &Point<'_>) -> String {
    let node = point.node;
    format!(
        "{}: {} ms, {} GFLOP/s at {} FLOP/B",
        node.label(),
        short(node.ms),
        short(point.gflops),
        short(point.intensity)
    )
}

/// Formats a power of ten.
fn format_power_of_ten(power: i32) -> String {
    match power {
        -3..=4 => 10.0_f64.powi(power).to_string(),
        _ => format!("1e{power}"),
    }
}

//! Where the time goes, a pair of bars a layer, as SVG.

use maud::{Markup, html};

use crate::ledger::{LayerTimes, Ledger};
use crate::render::number::short;
use crate::render::page::axis::{at, tick, ticks};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 250.0;
const WORDS: f64 = 90.0;
/// The height of a bar; a layer has one a profile.
const BAR: f64 = 11.0;
const GAP: f64 = 9.0;
const AXIS: f64 = 28.0;
/// Layers that are drawn; the rest is one bar.
const SHOWN: usize = 16;
/// Characters of a name that fit beside the bars.
const NAME_CHARS: usize = 34;
/// The classes that colour the profiles' bars, in their order.
const COLOURS: [&str; 2] = ["first", "second"];

/// A layer's times, one a profile; 0 where a profile has no such layer.
struct Line {
    name: String,
    ms: Vec<f64>,
}

/// The chart, or nothing where nothing was profiled.
pub(super) fn section(ledger: &Ledger) -> Markup {
    let profiles = &ledger.layers[..ledger.layers.len().min(COLOURS.len())];
    if profiles.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "Time by layer" }
            p {
                "Milliseconds per execution by layer, from a profile after the measurement: the sum of the median times of nodes. With profiling, an execution took "
                @for (place, profile) in profiles.iter().enumerate() {
                    @if place > 0 { ", " }
                    (short(profile.profiled_ms)) " ms in " strong.(COLOURS[place]) { (profile.row) }
                    " (" (short(profile.plain_ms)) " ms without profiling)"
                }
                "."
            }
            (chart(profiles, &lines(profiles)))
        }
    }
}

/// Layers by their largest time, what is left of them, and what they do not cover.
fn lines(profiles: &[LayerTimes]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (place, profile) in profiles.iter().enumerate() {
        for layer in &profile.layers {
            let found = lines.iter().position(|l| l.name == layer.name);
            let at = found.unwrap_or_else(|| {
                lines.push(Line {
                    name: layer.name.clone(),
                    ms: vec![0.0; profiles.len()],
                });
                lines.len() - 1
            });
            lines[at].ms[place] += layer.ms;
        }
    }
    let largest = |l: &Line| l.ms.iter().copied().fold(0.0, f64::max);
    lines.sort_by(|a, b| largest(b).total_cmp(&largest(a)));
    if lines.len() > SHOWN {
        let rest = lines.split_off(SHOWN - 1);
        lines.push(Line {
            name: format!("{} other layers", rest.len()),
            ms: (0..profiles.len())
                .map(|p| rest.iter().map(|l| l.ms[p]).sum())
                .collect(),
        });
    }
    lines.push(Line {
        name: "(between nodes)".to_owned(),
        ms: profiles.iter().map(|p| p.uncovered_ms).collect(),
    });
    lines
}

fn chart(profiles: &[LayerTimes], lines: &[Line]) -> Markup {
    let row = BAR * profiles.len() as f64 + GAP;
    let bottom = row * lines.len() as f64;
    let all = lines.iter().flat_map(|l| &l.ms);
    let most = all.copied().fold(0.0, f64::max).max(1e-6);
    let x = |ms: f64| LABELS + (WIDTH - LABELS - WORDS) * ms / most;
    html! {
        svg role="img" viewBox=(format!("0 0 {WIDTH} {}", bottom + AXIS)) aria-labelledby="layers-title"
            aria-describedby="layers-text" {
            title id="layers-title" { "Milliseconds per execution by layer" }
            desc id="layers-text" {
                @for line in lines {
                    (line.name) ": "
                    @for (profile, ms) in profiles.iter().zip(&line.ms) {
                        (profile.row) " " (short(*ms)) " ms; "
                    }
                }
            }
            @for ms in ticks(0.0, most) {
                line.grid x1=(at(x(ms))) x2=(at(x(ms))) y1="0" y2=(at(bottom)) {}
                text.tick x=(at(x(ms))) y=(at(bottom + 18.0)) text-anchor="middle" { (tick(ms)) }
            }
            @for (index, line) in lines.iter().enumerate() {
                @let top = row * index as f64 + GAP / 2.0;
                text.label x=(at(LABELS - 10.0)) y=(at(top + (row - GAP) / 2.0 + 4.0)) text-anchor="end" {
                    (ending(&line.name))
                }
                @for (place, ms) in line.ms.iter().enumerate() {
                    @let y = top + BAR * place as f64;
                    g class=(COLOURS[place]) {
                        title { (line.name) ", " (profiles[place].row) ": " (short(*ms)) " ms" }
                        rect.layer x=(at(LABELS)) y=(at(y)) width=(at(x(*ms) - LABELS))
                            height=(at(BAR - 1.0)) {}
                        text.small x=(at(x(*ms) + 6.0)) y=(at(y + BAR - 2.0)) { (short(*ms)) }
                    }
                }
            }
        }
    }
}

/// A path's end, where layers differ.
fn ending(name: &str) -> String {
    let count = name.chars().count();
    match count > NAME_CHARS {
        true => std::iter::once('…')
            .chain(name.chars().skip(count - NAME_CHARS + 1))
            .collect(),
        false => name.to_owned(),
    }
}

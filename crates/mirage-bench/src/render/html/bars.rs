//! Horizontal bars with intervals, as SVG.

use maud::{Markup, html};

use crate::{
    render::page::axis::{at, tick, ticks},
    stats::Verdict,
};

const WIDTH: f64 = 860.0;
const LABELS: f64 = 190.0;
const WORDS: f64 = 170.0;
const ROW: f64 = 26.0;
const AXIS: f64 = 28.0;
/// Characters of a label that fit beside the bars.
const LABEL_CHARS: usize = 26;

/// What a bar's colour says; its words say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Plain,
}

impl Tone {
    pub(super) fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Faster => Tone::Good,
            Verdict::Slower => Tone::Bad,
            Verdict::Same | Verdict::Undecided => Tone::Plain,
        }
    }

    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Plain => "plain",
        }
    }
}

/// A bar; one without a value is words alone.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: Option<f64>,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) tone: Tone,
    pub(super) said: String,
}

/// A chart of bars from zero.
pub(super) struct Bars {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) bars: Vec<Bar>,
    /// Where a line is drawn through all of them.
    pub(super) reference: Option<f64>,
}

impl Bars {
    pub(super) fn svg(&self) -> Markup {
        let scale = self.scale();
        let bottom = ROW * self.bars.len() as f64;
        let height = bottom + AXIS;
        let (title_id, text_id) = (format!("{}-title", self.id), format!("{}-text", self.id));
        html! {
            svg role="img" viewBox=(format!("0 0 {WIDTH} {height}")) aria-labelledby=(title_id)
                aria-describedby=(text_id) {
                title id=(title_id) { (self.title) }
                desc id=(text_id) {
                    @for bar in &self.bars { (bar.label) ": " (bar.said) "; " }
                }
                @for value in scale.ticks() {
                    line.grid x1=(at(scale.x(value))) x2=(at(scale.x(value))) y1="0" y2=(at(bottom)) {}
                    text.tick x=(at(scale.x(value))) y=(at(bottom + 18.0)) text-anchor="middle" {
                        (tick(value))
                    }
                }
                @if let Some(reference) = self.reference {
                    line.reference x1=(at(scale.x(reference))) x2=(at(scale.x(reference))) y1="0"
                        y2=(at(bottom)) {}
                }
                @for (index, bar) in self.bars.iter().enumerate() {
                    (bar.row(ROW * index as f64, &scale))
                }
            }
        }
    }

    /// From the least to the largest that is drawn, zero included.
    fn scale(&self) -> Scale {
        let ends = |b: &Bar| [b.value, b.interval.map(|i| i.0), b.interval.map(|i| i.1)];
        let drawn = self
            .bars
            .iter()
            .flat_map(ends)
            .flatten()
            .chain(self.reference);
        let (low, high) = drawn.fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
        Scale {
            low,
            high: if high > low { high } else { low + 1.0 },
        }
    }
}

impl Bar {
    fn row(&self, top: f64, scale: &Scale) -> Markup {
        let middle = top + ROW / 2.0;
        html! {
            g class=(self.tone.class()) {
                title { (self.label) ": " (self.said) }
                text.label x=(at(LABELS - 10.0)) y=(at(middle + 4.0)) text-anchor="end" {
                    (shortened(&self.label))
                }
                @if let Some(value) = self.value {
                    @let (from, to) = (scale.x(value.min(0.0)), scale.x(value.max(0.0)));
                    rect.bar x=(at(from)) y=(at(top + 5.0)) width=(at(to - from))
                        height=(at(ROW - 10.0)) rx="2" {}
                }
                @if let Some((low, high)) = self.interval {
                    @let (low, high) = (scale.x(low), scale.x(high));
                    line.whisker x1=(at(low)) x2=(at(high)) y1=(at(middle)) y2=(at(middle)) {}
                    @for end in [low, high] {
                        line.whisker x1=(at(end)) x2=(at(end)) y1=(at(middle - 4.0)) y2=(at(middle + 4.0)) {}
                    }
                }
                text.said x=(at(WIDTH - WORDS + 12.0)) y=(at(middle + 4.0)) { (self.said) }
            }
        }
    }
}

/// Values to places across the chart.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        let width = WIDTH - LABELS - WORDS;
        LABELS + width * (value - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> Vec<f64> {
        ticks(self.low, self.high)
    }
}

fn shortened(label: &str) -> String {
    match label.chars().count() > LABEL_CHARS {
        true => label.chars().take(LABEL_CHARS - 1).chain(['…']).collect(),
        false => label.to_owned(),
    }
}

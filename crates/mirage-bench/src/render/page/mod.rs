//! What pages share: the document, its style, facts, warnings, tables, places on axes.
//!
//! A page is one file without network and script, light and dark. All text goes through maud, which
//! escapes it; the style sheets alone are put in as they are.

pub(super) mod axis;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Table, number::megabytes};
use crate::ledger::{Backend, Machine, Model, PassId};

/// Colours, and what charts are drawn with; a chart alone in a file takes them too.
const CHART_STYLE: &str = include_str!("chart.css");
const PAGE_STYLE: &str = include_str!("page.css");

/// A whole page.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(CHART_STYLE)) (PreEscaped(PAGE_STYLE)) }
            }
            body {
                main { (body) }
            }
        }
    };
    page.into_string()
}

/// A chart as a file of SVG of its own.
pub(super) fn chart_file(chart: &Markup) -> String {
    let namespace = "xmlns=\"http://www.w3.org/2000/svg\"";
    let style = html! { style { (PreEscaped(CHART_STYLE)) } }.into_string();
    let chart = chart.0.replacen("<svg ", &format!("<svg {namespace} "), 1);
    let inside = chart.find('>').map_or(0, |end| end + 1);
    format!("{}{style}{}\n", &chart[..inside], &chart[inside..])
}

/// A name and what is to be said of it; what is not known is left out.
pub(super) type Fact = (&'static str, Option<String>);

/// Facts in columns.
pub(super) fn fact_list(facts: impl IntoIterator<Item = Fact>) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts {
                @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}

/// What a page is about.
pub(super) struct Subject<'a> {
    pub(super) machine: &'a Machine,
    pub(super) backend: &'a Backend,
    pub(super) model: &'a Model,
    /// `[1, 3, height, width]`.
    pub(super) shape: [usize; 4],
    pub(super) dtype: &'a str,
    pub(super) steps: usize,
    pub(super) seed: u64,
    pub(super) passes: &'a [PassId],
    /// The version of Mirage.
    pub(super) mirage: &'a str,
}

impl Subject<'_> {
    /// The facts that a page begins with.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = machine(self.machine);
        let b = self.backend;
        facts.extend([
            (
                "Backend",
                Some(format!("{} {} ({})", b.name, b.version, b.engine)),
            ),
            ("Model", Some(self.model())),
            ("Frame", Some(self.frame())),
            ("Passes", Some(self.passes())),
            ("Mirage", Some(self.mirage.to_owned())),
        ]);
        facts
    }

    fn model(&self) -> String {
        let Model {
            name,
            parameters,
            trained,
            ..
        } = self.model;
        let trained = if *trained { "trained" } else { "untrained" };
        let millions = megabytes(*parameters as u64);
        format!("{name}, {millions} million parameters, {trained}")
    }

    fn frame(&self) -> String {
        let [_, _, height, width] = self.shape;
        let steps = match self.steps {
            1 => "1 step".to_owned(),
            n => format!("{n} steps"),
        };
        format!(
            "{width}×{height}, {}, {steps}, seed {}",
            self.dtype, self.seed
        )
    }

    fn passes(&self) -> String {
        let passes = self
            .passes
            .iter()
            .map(|p| format!("{} (version {})", p.spec, p.version));
        match self.passes.is_empty() {
            true => "none".to_owned(),
            false => passes.collect::<Vec<_>>().join(", "),
        }
    }
}

/// The facts of a machine.
fn machine(machine: &Machine) -> Vec<Fact> {
    let roofline = machine.roofline.as_ref();
    let roofline = roofline.map(|r| format!("{:.0} GFLOP/s, {:.1} GB/s", r.gflops, r.gbytes));
    vec![
        (
            "Machine",
            Some(format!("{}, {}", machine.device, machine.details)),
        ),
        ("Platform", Some(machine.platform.clone())),
        ("Roofline", roofline),
    ]
}

/// What a reader should know first; nothing where there is nothing.
pub(super) fn warnings(warnings: &[String]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            section.warnings aria-label="Warnings" {
                h2 { "Warnings" }
                ul { @for warning in warnings { li { (warning) } } }
            }
        }
    }
}

/// A table that scrolls in a frame of its own; its rows are numbered.
pub(super) fn data_table(label: &str, table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) {
            table {
                thead { tr {
                    th scope="col" { "#" }
                    @for column in &table.columns {
                        th scope="col" class=[column.numeric.then_some("number")] {
                            (column.title)
                        }
                    }
                } }
                tbody {
                    @for (index, row) in table.rows.iter().enumerate() {
                        tr {
                            td.number { (index + 1) }
                            @for (place, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
                                @if place == 0 {
                                    th scope="row" { (cell) }
                                } @else {
                                    td class=[column.numeric.then_some("number")] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

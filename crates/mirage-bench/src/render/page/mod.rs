//! What pages share: the document, its style, facts, warnings, tables, places on axes.
//!
//! A page is one file without network and script, light and dark. All text goes through maud, which
//! escapes it; the style sheets alone are put in as they are.

pub(super) mod axis;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Table;
use crate::ledger::Machine;

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

/// The facts of a machine.
pub(super) fn machine(machine: &Machine) -> Vec<Fact> {
    let roofline = machine.roofline.as_ref();
    let roofline =
        roofline.map(|r| format!("{:.0} GFLOP/s, {:.1} GB/s, measured", r.gflops, r.gbytes));
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
                h2 { "Mind" }
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

//! Rows with bars: operations in a list, layers in a tree that folds.

use maud::{Markup, html};

use super::columns::NUMBERS;
use crate::profile::{Layer, Profile, Row, Sort};

/// How many layers stand open at first.
const OPEN: usize = 1;

/// Operations, the slowest first.
pub(super) fn operations(profile: &Profile) -> Markup {
    let rows = profile.operations();
    let longest = rows.iter().map(|r| r.ms).fold(0.0, f64::max);
    html! {
        div.lines tabindex="0" role="region" aria-label="Operations" {
            (head("operation"))
            @for row in &rows { (line(&row.name, row, 0, longest)) }
        }
    }
}

/// Layers by module path, the slowest first, down to their nodes.
pub(super) fn layers(profile: &Profile) -> Markup {
    let tree = profile.layers(Sort::Time);
    let uncovered = Row::uncovered(&profile.frame);
    let longest = tree.within.iter().map(|l| l.row.ms);
    let longest = longest.fold(uncovered.ms, f64::max);
    html! {
        div.lines.tree tabindex="0" role="region" aria-label="Layers" {
            (head("layer"))
            @for within in &tree.within { (layer(profile, within, longest)) }
            (line(&uncovered.name, &uncovered, 0, longest))
        }
    }
}

fn layer(profile: &Profile, layer: &Layer, longest: f64) -> Markup {
    let own: Vec<Row> = layer
        .own
        .iter()
        .map(|&place| {
            let node = &profile.nodes[place];
            let name = format!("%{} {} → {}", node.node, node.op, node.result);
            Row::of(name, [node], &profile.frame)
        })
        .collect();
    html! {
        details open[layer.depth < OPEN] data-path=(layer.path) {
            summary { (line(&layer.row.name, &layer.row, layer.depth - 1, longest)) }
            @for within in &layer.within { (self::layer(profile, within, longest)) }
            @for row in &own { (line(&row.name, row, layer.depth, longest)) }
        }
    }
}

fn head(name: &str) -> Markup {
    html! {
        span.line.head {
            span.name { (name) }
            span {}
            @for (column, _) in NUMBERS { span.number data-key=(column.key) { (column.title) } }
        }
    }
}

/// A row, in so many layers; its bar is as long as the longest at most.
fn line(name: &str, row: &Row, depth: usize, longest: f64) -> Markup {
    let part = 100.0 * (row.ms / longest).clamp(0.0, 1.0);
    html! {
        span.line {
            span.name style=(format!("--depth:{depth}")) title=(name) { (name) }
            span.track aria-hidden="true" { span.fill style=(format!("width:{part:.1}%")) {} }
            @for (column, cell) in NUMBERS {
                span.number data-key=(column.key) { (cell(row).unwrap_or_default()) }
            }
        }
    }
}

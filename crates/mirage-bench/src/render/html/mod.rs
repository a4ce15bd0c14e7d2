//! The ledger as a page.

mod bars;
mod history;
mod layers;
mod scatter;

use maud::{Markup, html};

use super::{
    columns,
    page::{Subject, data_table, document, fact_list, warnings},
};
use crate::ledger::{Ledger, Outcome};
use crate::stats::Verdict;
use bars::{Bar, Bars, Tone};

pub use history::history_page;

/// The ledger as a page of HTML.
pub fn html(ledger: &Ledger) -> String {
    let title = format!("{}: gains of each pass", ledger.setting.model.name);
    let body = html! {
        h1 { (title) }
        (facts(ledger))
        (warnings(&ledger.warnings))
        (speed_ups(ledger))
        (scatter::section(ledger))
        (gain(ledger))
        (layers::section(ledger))
        section {
            h2 { "All rows" }
            (data_table("All rows", &columns::table(ledger)))
        }
        (method(ledger))
    };
    document(&title, &body)
}

fn facts(ledger: &Ledger) -> Markup {
    let s = &ledger.setting;
    let subject = Subject {
        machine: &s.machine,
        backend: &s.backend,
        model: &s.model,
        shape: s.shape,
        dtype: &s.dtype,
        steps: s.steps,
        seed: s.seed,
        passes: &ledger.passes,
        mirage: &s.mirage,
    };
    let mut facts = subject.facts();
    facts.push(("Measured", s.measured_at.clone()));
    fact_list(facts)
}

fn speed_ups(ledger: &Ledger) -> Markup {
    let bar = |row: &crate::ledger::Row| {
        let mut bar = Bar {
            label: row.label.clone(),
            value: None,
            interval: None,
            tone: Tone::Plain,
            said: String::new(),
        };
        match (&row.outcome, &row.against_none) {
            (Outcome::Failed(_), _) => bar.said = "failed".to_owned(),
            (Outcome::Illegal(_), _) => bar.said = "illegal set".to_owned(),
            (Outcome::Measured, None) if row.times.is_some() => {
                bar.value = Some(1.0);
                bar.said = "1×, the baseline".to_owned();
            }
            (Outcome::Measured, None) => bar.said = "no baseline".to_owned(),
            (Outcome::Measured, Some(speed_up)) => {
                let verdict = speed_up.verdict;
                bar.value = Some(speed_up.ratio);
                bar.interval = speed_up.interval.map(|i| (i.low, i.high));
                bar.tone = verdict.map_or(Tone::Plain, Tone::of);
                let words = verdict.map_or("too few samples", Verdict::words);
                bar.said = format!("{:.2}× {words}", speed_up.ratio);
            }
        }
        bar
    };
    let chart = Bars {
        id: "speed-up",
        title: "Speed-up over none, by row",
        bars: ledger.rows.iter().map(bar).collect(),
        reference: Some(1.0),
    };
    html! {
        section {
            h2 { "Speed-up over none" }
            p { "Median time without passes divided by the row's median time. Whiskers are 95 % intervals; a row counts as faster or slower if its whole interval differs from 1 by more than the margin." }
            (chart.svg())
        }
    }
}

fn gain(ledger: &Ledger) -> Markup {
    let Some(shapley) = &ledger.shapley else {
        return html! {};
    };
    let bar = |label: &str, gain: &crate::stats::Interval| Bar {
        label: label.to_owned(),
        value: Some(gain.estimate),
        interval: Some((gain.low, gain.high)),
        tone: match (gain.low > 0.0, gain.high < 0.0) {
            (true, _) => Tone::Good,
            (_, true) => Tone::Bad,
            _ => Tone::Plain,
        },
        said: format!("{} ms", super::number::short(gain.estimate)),
    };
    let mut bars: Vec<Bar> = shapley
        .shares
        .iter()
        .map(|s| bar(&s.pass, &s.gain_ms))
        .collect();
    bars.push(bar("all", &shapley.gain_ms));
    let chart = Bars {
        id: "shares",
        title: "Milliseconds per frame saved by each pass",
        bars,
        reference: Some(0.0),
    };
    html! {
        section {
            h2 { "Shares of the gain" }
            p { "Milliseconds per frame that a pass saves when it is added, averaged over all legal orders of adding passes (Shapley value). The shares sum to the total gain." }
            (chart.svg())
        }
    }
}

fn method(ledger: &Ledger) -> Markup {
    let m = &ledger.method;
    html! {
        section {
            h2 { "Method" }
            p {
                "All sets of passes were measured in turn, each round forwards and backwards (A B C, C B A), in "
                (m.processes) @if m.processes == 1 { " process, " } @else { " processes, " }
                (format!("{:.0}", m.elapsed_s)) " s of " (format!("{:.0}", m.budget_s)) " s. "
                "Warm-up " (m.warm_up) ". Outliers are counted and kept. Intervals cover "
                (format!("{:.0}", m.confidence * 100.0)) " %, from " (m.resamples)
                " bootstrap samples of interleaved blocks; differences below "
                (format!("{}", m.margin * 100.0)) " % count as no effect."
                @if m.stopped { " The measurement was interrupted." }
            }
        }
    }
}

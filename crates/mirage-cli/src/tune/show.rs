//! Prints the result of `mirage tune`.

use mirage_lab::tune::{Report, Set};

use crate::{
    output::Stream,
    table::{Align, Facts, Rows, bold, dim, good, text},
    units,
};

/// Returns the table and the facts below it.
pub(super) fn table(report: &Report) -> String {
    let columns = [
        ("", Align::Left),
        ("set", Align::Left),
        ("frame", Align::Right),
        ("speed-up", Align::Right),
        ("PSNR", Align::Right),
        ("rel. L2", Align::Right),
        ("passes", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..6);
    for set in &report.sets {
        rows.row(cells(set, set.passes == report.choice.passes));
    }
    format!(
        "{rows}\n●  Pareto-optimal: no other set is both faster and at least as accurate\n▶  chosen\n\n{}",
        facts(report)
    )
}

fn facts(report: &Report) -> Facts {
    let mut facts = Facts::new(Stream::Stdout);
    let passes = match (report.choice.passes.as_str(), &report.setting.max_error) {
        ("", None) => "no passes: no set is faster on this machine",
        ("", Some(_)) => "no passes: no set within the error bound is faster on this machine",
        (passes, _) => passes,
    };
    facts.styled("choice", bold(passes));
    if let Some(ms) = report.choice.median_ms {
        facts.fact("frame", units::milliseconds(ms));
    }
    for against in &report.choice.against {
        facts.fact(&format!("against {}", against.set), against.words());
    }
    let tried = units::plural(report.sets.len() as u64, "program");
    facts.fact(
        "time",
        format!(
            "used {:.1} of {:.1} s to measure {tried}; {}",
            report.elapsed_s,
            report.setting.budget_s,
            match report.exhausted {
                true => "no single added, removed or changed pass is faster",
                false => "not all variants were measured; use a longer --budget to measure more",
            }
        ),
    );
    for warning in &report.warnings {
        facts.fact("warning", warning);
    }
    facts
}

fn cells(set: &Set, chosen: bool) -> Vec<comfy_table::Cell> {
    let names = match set.names.is_empty() {
        true => "·".to_owned(),
        false => set.names.join(", "),
    };
    let frame = match (set.outcome, set.median_ms) {
        ("failed", _) => "failed".to_owned(),
        (_, Some(ms)) => units::milliseconds(ms),
        (_, None) => "·".to_owned(),
    };
    let psnr = match (set.psnr_db, set.relative_l2) {
        (Some(db), _) => format!("{db:.1} dB"),
        (None, Some(_)) => "equal".to_owned(),
        (None, None) => "·".to_owned(),
    };
    let number = |n: Option<f64>, form: fn(f64) -> String| n.map_or("·".to_owned(), form);
    let passes = match (&set.reason, set.passes.is_empty()) {
        (Some(reason), _) => format!("{}: {reason}", spaced(&set.passes)),
        (None, true) => "·".to_owned(),
        (None, false) => spaced(&set.passes),
    };
    let mark = match (chosen, set.on_front) {
        (true, _) => good("▶"),
        (false, true) => text("●"),
        (false, false) => text(" "),
    };
    let name = if chosen { bold(names) } else { text(names) };
    vec![
        mark,
        name,
        text(frame),
        text(number(set.speed_up, |n| format!("{n:.2}"))),
        text(psnr),
        text(number(set.relative_l2, |n| format!("{n:.1e}"))),
        if set.outcome == "stayed" {
            text(passes)
        } else {
            dim(passes)
        },
    ]
}

/// Adds spaces so that lines can wrap.
fn spaced(passes: &str) -> String {
    passes.replace(',', ", ")
}

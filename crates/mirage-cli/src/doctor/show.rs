//! Prints the report of `mirage doctor`.

use mirage_bench::stats::Verdict;
use mirage_ir::target::Support;
use mirage_lab::doctor::{
    Ability, AlignmentSummary, DTYPES, Expectation, InDtype, PassCheck, Report,
};

use super::hardware;
use crate::{
    output::Stream,
    table::{Align, Facts, Rows, bad, bold, dim, good, text},
    units,
};

/// Returns the whole page; `model` is the argument of `--model`.
pub(super) fn page(report: &Report, model: &str, measured: bool) -> String {
    let mut out = hardware::facts(&report.hardware).to_string();
    for ability in &report.backends {
        out.push_str(&format!("\n{}", ability_table(ability)));
    }
    for idle in &report.backends_without_device {
        out.push_str(&format!("\nbackend {}: {}\n", idle.backend, idle.reason));
    }
    let [width, height] = report.model.size;
    out.push_str(&format!(
        "\n{} at {width}x{height}, {} per frame, on {}\n\n{}",
        report.model.name,
        units::plural(report.model.steps as u64, "step"),
        report.model.backend,
        checks(&report.passes)
    ));
    let mut facts = Facts::new(Stream::Stdout);
    facts.styled("precision", bold(report.precision.dtype));
    for reason in &report.precision.reasons {
        facts.fact("", reason);
    }
    facts.fact("alignment", alignment_words(&report.alignment, model));
    facts.fact(
        "next",
        match measured {
            true => format!("mirage tune --model {model} finds the fastest set of passes"),
            false => {
                format!("mirage doctor --measure --model {model} measures instead of estimating")
            }
        },
    );
    format!("{out}\n{facts}")
}

/// Tabulates the operations and dtypes that a device supports.
fn ability_table(ability: &Ability) -> String {
    let names: Vec<&str> = DTYPES.iter().map(|d| d.name()).collect();
    let mut columns = vec![("operation", Align::Left)];
    columns.extend(names.iter().map(|&name| (name, Align::Left)));
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..columns.len());
    for operation in &ability.operations {
        let mut cells = vec![bold(operation.op)];
        cells.extend(operation.dtypes.iter().map(ability_cell));
        rows.row(cells);
    }
    let fused = match ability.fused.is_empty() {
        true => "none".to_owned(),
        false => ability.fused.join(", "),
    };
    format!(
        "backend {} ({}), device {}: {}, {}\n\n{rows}fused kernels: {fused}\n",
        ability.backend, ability.engine, ability.device, ability.name, ability.details
    )
}

fn ability_cell(found: &InDtype) -> comfy_table::Cell {
    let measured = match (&found.measured, &found.error) {
        (Some(measured), _) => format!(", {}", measured.words()),
        (None, Some(why)) => format!(", failed: {why}"),
        (None, None) => String::new(),
    };
    match found.support {
        Some(Support::Fast) => good(format!("fast{measured}")),
        Some(Support::Slow) => bad(format!("slow{measured}")),
        None => dim("unsupported"),
    }
}

/// Tabulates the assessment of every pass.
fn checks(checks: &[PassCheck]) -> Rows {
    let columns = [
        ("pass", Align::Left),
        ("assessment", Align::Left),
        ("reason", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..2);
    for check in checks {
        rows.row([bold(check.pass), check_cell(check), text(why(check))]);
    }
    rows
}

/// Joins the first reasons.
fn why(check: &PassCheck) -> String {
    const SHOWN: usize = 2;
    let first: Vec<String> = check.reasons.iter().take(SHOWN).cloned().collect();
    match check.reasons.len().saturating_sub(SHOWN) {
        0 => first.join("; "),
        more => format!("{}; and {more} more (--json has all)", first.join("; ")),
    }
}

fn check_cell(check: &PassCheck) -> comfy_table::Cell {
    if let (Some(s), Some(verdict)) = (check.speed_up, check.verdict) {
        let number = format!("{:.2}× ({:.2}–{:.2})", s.estimate, s.low, s.high);
        return match verdict {
            Verdict::Faster => good(format!("faster, {number}")),
            Verdict::Slower => bad(format!("slower, {number}")),
            Verdict::Same | Verdict::Undecided => dim(format!("{}, {number}", verdict.words())),
        };
    }
    match check.expectation {
        Expectation::MayHelp => good("may help"),
        Expectation::MemoryOnly => bad("saves memory only"),
        Expectation::Nothing => dim("no effect"),
        Expectation::CannotRun => bad("cannot run"),
    }
}

fn alignment_words(alignment: &AlignmentSummary, model: &str) -> String {
    match alignment.misaligned {
        0 => format!("every channel count is aligned for {}", alignment.dtype),
        n => format!(
            "{} not aligned for {}; padding costs {:.1} % more operations; mirage doctor alignment --model {model} lists them",
            units::plural(n as u64, "channel count"),
            alignment.dtype,
            alignment.extra_flops_percent
        ),
    }
}

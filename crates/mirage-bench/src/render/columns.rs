//! The columns of a ledger.

use super::number::{factor, megabytes, short, with_interval};
use super::table::{Cells, Table, build, number, words};
use crate::frame_error::FrameError;
use crate::ledger::{Ledger, Outcome, Row, Shapley, Share, SpeedUp};
use crate::stats::Verdict;

/// Returns a table for reading: rounded numbers, and a speed-up with its interval in one cell. Empty columns
/// are removed.
pub fn table(ledger: &Ledger) -> Table {
    build(DISPLAY, &ledger.rows).without_empty_columns()
}

/// Returns a table for tools: one value per cell in full precision, always with the same columns.
pub fn flat(ledger: &Ledger) -> Table {
    build(FLAT, &ledger.rows)
}

/// The shares of the gain: a row a pass, then the gain.
pub fn shares(shapley: &Shapley) -> Table {
    let total = Share {
        pass: "all".to_owned(),
        gain_ms: shapley.gain_ms,
    };
    let columns: &[Cells<Share>] = &[
        (words("pass", "pass"), |s| Some(s.pass.clone())),
        (number("gain_ms", "ms saved per frame"), |s| {
            Some(with_interval(&s.gain_ms))
        }),
    ];
    build(columns, shapley.shares.iter().chain([&total]))
}

const DISPLAY: &[Cells<Row>] = &[
    (words("row", "row"), |r| Some(r.label.clone())),
    (number("p50_ms", "p50 ms"), |r| {
        r.times.map(|t| short(t.p50_ms))
    }),
    (number("p95_ms", "p95 ms"), |r| {
        r.times.map(|t| short(t.p95_ms))
    }),
    (number("p99_ms", "p99 ms"), |r| {
        r.times.map(|t| short(t.p99_ms))
    }),
    (number("fps", "FPS"), |r| r.times.map(|t| short(t.fps))),
    (number("against_none", "speed-up over none"), |r| {
        speed_up(r.against_none.as_ref())
    }),
    (words("verdict_none", "verdict"), |r| {
        said(r.against_none.as_ref())
    }),
    (number("against_before", "speed-up over previous"), |r| {
        speed_up(r.against_before.as_ref())
    }),
    (words("verdict_before", "verdict"), |r| {
        said(r.against_before.as_ref())
    }),
    (number("compile_ms", "compile ms"), |r| {
        r.build.compile_ms.map(short)
    }),
    (number("rewrites", "rewrites"), |r| {
        r.build.rewrites.map(|n| n.to_string())
    }),
    (number("weight_mb", "weights MB"), |r| {
        r.memory.weight_bytes.map(megabytes)
    }),
    (number("planned_peak_mb", "planned peak MB"), |r| {
        r.memory.planned_peak_bytes.map(megabytes)
    }),
    (number("measured_peak_mb", "measured peak MB"), |r| {
        r.memory.measured_peak_bytes.map(megabytes)
    }),
    (number("resident_mb", "resident MB"), |r| {
        r.memory.resident_bytes.map(megabytes)
    }),
    (number("gflops", "GFLOP/s"), |r| {
        r.throughput.map(|t| short(t.gflops))
    }),
    (number("gbytes", "GB/s"), |r| {
        r.throughput.map(|t| short(t.gbytes))
    }),
    (number("roofline_percent", "% of roofline"), |r| {
        r.throughput?.roofline_percent.map(short)
    }),
    (number("max_abs", "max error"), |r| {
        Some(short(frame(r)?.max_abs))
    }),
    (number("relative_l2", "relative L2"), |r| {
        frame(r)?.relative_l2.map(short)
    }),
    (words("numerics", "numerics"), |r| {
        let words = |broken| if broken { "EXCEEDED" } else { "ok" };
        r.error_bound.map(|_| words(r.breaks_numerics()).to_owned())
    }),
    (number("psnr_db", "PSNR dB"), |r| Some(psnr(frame(r)?))),
    (number("ssim", "SSIM"), |r| {
        Some(format!("{:.4}", frame(r)?.ssim?))
    }),
    (number("loop_max_abs", "max error, closed loop"), |r| {
        Some(short(closed(r)?.max_abs))
    }),
    (
        number("loop_relative_l2", "relative L2, closed loop"),
        |r| closed(r)?.relative_l2.map(short),
    ),
    (number("loop_psnr_db", "PSNR dB, closed loop"), |r| {
        Some(psnr(closed(r)?))
    }),
    (number("loop_ssim", "SSIM, closed loop"), |r| {
        Some(format!("{:.4}", closed(r)?.ssim?))
    }),
    (number("outliers", "outliers"), |r| {
        r.times
            .map(|t| format!("{}/{}", t.outliers.total(), t.count))
    }),
    (words("notes", "notes"), |r| Some(remarks(r).join("; "))),
];

const FLAT: &[Cells<Row>] = &[
    (words("row", ""), |r| Some(r.label.clone())),
    (words("passes", ""), |r| Some(r.passes.join("+"))),
    (words("outcome", ""), |r| {
        Some(outcome(&r.outcome).to_owned())
    }),
    (number("p50_ms", ""), |r| full(r.times?.p50_ms)),
    (number("p95_ms", ""), |r| full(r.times?.p95_ms)),
    (number("p99_ms", ""), |r| full(r.times?.p99_ms)),
    (number("fps", ""), |r| full(r.times?.fps)),
    (number("samples", ""), |r| Some(r.times?.count.to_string())),
    (number("outliers", ""), |r| {
        Some(r.times?.outliers.total().to_string())
    }),
    (words("warm", ""), |r| Some(r.times?.warm.to_string())),
    (number("speed_up_none", ""), |r| {
        full(r.against_none.as_ref()?.ratio)
    }),
    (number("speed_up_none_low", ""), |r| {
        full(r.against_none.as_ref()?.interval?.low)
    }),
    (number("speed_up_none_high", ""), |r| {
        full(r.against_none.as_ref()?.interval?.high)
    }),
    (words("verdict_none", ""), |r| said(r.against_none.as_ref())),
    (words("before", ""), |r| {
        Some(r.against_before.as_ref()?.other.join("+"))
    }),
    (number("speed_up_before", ""), |r| {
        full(r.against_before.as_ref()?.ratio)
    }),
    (number("speed_up_before_low", ""), |r| {
        full(r.against_before.as_ref()?.interval?.low)
    }),
    (number("speed_up_before_high", ""), |r| {
        full(r.against_before.as_ref()?.interval?.high)
    }),
    (words("verdict_before", ""), |r| {
        said(r.against_before.as_ref())
    }),
    (words("dtype", ""), |r| r.build.dtype.clone()),
    (number("compile_ms", ""), |r| full(r.build.compile_ms?)),
    (number("rewrites", ""), |r| {
        Some(r.build.rewrites?.to_string())
    }),
    (number("weight_bytes", ""), |r| {
        Some(r.memory.weight_bytes?.to_string())
    }),
    (number("planned_peak_bytes", ""), |r| {
        Some(r.memory.planned_peak_bytes?.to_string())
    }),
    (number("measured_peak_bytes", ""), |r| {
        Some(r.memory.measured_peak_bytes?.to_string())
    }),
    (number("resident_bytes", ""), |r| {
        Some(r.memory.resident_bytes?.to_string())
    }),
    (number("gflops", ""), |r| full(r.throughput?.gflops)),
    (number("gbytes", ""), |r| full(r.throughput?.gbytes)),
    (number("roofline_percent", ""), |r| {
        full(r.throughput?.roofline_percent?)
    }),
    (number("max_abs", ""), |r| full(frame(r)?.max_abs)),
    (number("relative_l2", ""), |r| full(frame(r)?.relative_l2?)),
    (number("psnr_db", ""), |r| Some(psnr_full(frame(r)?))),
    (number("ssim", ""), |r| full(frame(r)?.ssim?)),
    (number("loop_max_abs", ""), |r| full(closed(r)?.max_abs)),
    (number("loop_relative_l2", ""), |r| {
        full(closed(r)?.relative_l2?)
    }),
    (number("loop_psnr_db", ""), |r| Some(psnr_full(closed(r)?))),
    (number("loop_ssim", ""), |r| full(closed(r)?.ssim?)),
    (words("notes", ""), |r| Some(remarks(r).join("; "))),
];

fn frame(row: &Row) -> Option<FrameError> {
    row.error.map(|e| e.frame)
}

fn closed(row: &Row) -> Option<FrameError> {
    row.error?.closed_loop
}

fn full(value: f64) -> Option<String> {
    Some(value.to_string())
}

fn psnr(error: FrameError) -> String {
    error
        .psnr_db
        .map_or_else(|| "equal".to_owned(), |db| format!("{db:.1}"))
}

fn psnr_full(error: FrameError) -> String {
    error
        .psnr_db
        .map_or_else(|| "inf".to_owned(), |db| db.to_string())
}

fn speed_up(speed_up: Option<&SpeedUp>) -> Option<String> {
    let speed_up = speed_up?;
    Some(factor(speed_up.ratio, speed_up.interval.as_ref()))
}

fn said(speed_up: Option<&SpeedUp>) -> Option<String> {
    let verdict = speed_up?.verdict;
    Some(verdict.map_or("too few samples", Verdict::words).to_owned())
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Measured => "measured",
        Outcome::Failed(_) => "failed",
        Outcome::Illegal(_) => "illegal",
    }
}

/// Why a row was not measured, and its notes.
pub(super) fn remarks(row: &Row) -> Vec<String> {
    let reason = match &row.outcome {
        Outcome::Measured => None,
        Outcome::Failed(reason) => Some(format!("failed: {reason}")),
        Outcome::Illegal(reason) => Some(format!("illegal set: {reason}")),
    };
    reason
        .into_iter()
        .chain(row.notes.iter().cloned())
        .collect()
}

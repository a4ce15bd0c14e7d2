//! A row of the attention sweep.

use mirage_backend::MemoryReport;
use mirage_bench::{
    measure::Series,
    render::{Cells, Table, build, factor, megabytes, number, short, words},
    stats::{DEFAULT_MARGIN, Interval, Resampling, Verdict, median, ratio_paired},
};
use mirage_ir::{TensorData, interp::Tensor};
use serde::{Deserialize, Serialize};

use super::{AttentionReport, Shape};
use crate::sweep::{Outcome, Times};

/// A shape of attention.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionRow {
    /// The shape.
    #[serde(flatten)]
    pub shape: Shape,
    /// Floating-point operations of the operation; a multiply-add counts two.
    pub flops: u64,
    /// The fused operation.
    pub op: Side,
    /// Separate operations.
    pub naive: Side,
    /// The speed-up of the fused operation; null if one side was not measured.
    pub speed_up: Option<SpeedUp>,
    /// The difference of the results; null if one side was not measured.
    pub difference: Option<Difference>,
}

/// The measurement of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Whether it was measured.
    pub outcome: Outcome,
    /// Times of one execution.
    pub times: Option<Times>,
    /// The attention's floating-point operations divided by the median time, 10⁹ per second.
    pub gflops: Option<f64>,
    /// The planned peak of activations.
    pub planned_peak_bytes: Option<u64>,
    /// Memory held for activations; null if the engine does not report it.
    pub held_bytes: Option<u64>,
}

/// The speed-up of the fused operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeedUp {
    /// Median time of separate operations divided by that of the fused one; above 1, the fused is faster.
    pub ratio: f64,
    /// The 95 % interval, from samples taken in turn; null with fewer than 6.
    pub interval: Option<Interval>,
    /// The verdict on the interval; null without one.
    pub verdict: Option<Verdict>,
}

/// The difference of the results on the same inputs, in the same dtype.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The largest absolute difference.
    pub max_abs: f64,
    /// The norm of the difference divided by that of the separate operations' result.
    pub relative_l2: f64,
}

impl Side {
    /// Returns a side that was not measured.
    pub(super) fn unmeasured(outcome: Outcome) -> Self {
        Side {
            outcome,
            times: None,
            gflops: None,
            planned_peak_bytes: None,
            held_bytes: None,
        }
    }

    pub(super) fn of(
        series: &Series,
        repeats: u32,
        memory: &MemoryReport,
        flops: u64,
        resampling: &Resampling,
    ) -> Self {
        let times = Times::of(series, repeats, resampling);
        Side {
            outcome: match &series.failure {
                Some(why) => Outcome::Failed(why.clone()),
                None => Outcome::Measured,
            },
            times,
            gflops: times.map(|t| flops as f64 / (t.p50_ms * 1e6)),
            planned_peak_bytes: Some(memory.planned_peak_bytes),
            held_bytes: memory.held_bytes,
        }
    }
}

impl SpeedUp {
    /// Computes it from alternating samples; `None` if one side has none.
    pub(super) fn of(op: &Series, naive: &Series, resampling: &Resampling) -> Option<Self> {
        let (up, down) = (&naive.samples_ms, &op.samples_ms);
        let ratio = median(&up.concat())? / median(&down.concat())?;
        let interval = ratio_paired(up, down, resampling).ok();
        Some(SpeedUp {
            ratio,
            interval,
            verdict: interval.map(|i| Verdict::of_speed_up(&i, DEFAULT_MARGIN)),
        })
    }
}

impl Difference {
    /// Computes it for two results; `None` if their shapes differ or it is not finite.
    pub(super) fn of(op: &TensorData, naive: &TensorData) -> Option<Self> {
        let (op, naive) = (Tensor::from_data(op).ok()?, Tensor::from_data(naive).ok()?);
        let (op, naive) = (op.floats().ok()?, naive.floats().ok()?);
        if op.len() != naive.len() {
            return None;
        }
        let (mut max_abs, mut apart, mut norm) = (0.0f64, 0.0, 0.0);
        for (a, b) in op.iter().zip(naive) {
            max_abs = max_abs.max((a - b).abs());
            apart += (a - b).powi(2);
            norm += b * b;
        }
        let relative_l2 = match apart == 0.0 {
            true => 0.0,
            false => (apart / norm).sqrt(),
        };
        // JSON has no representation of infinity and NaN.
        (max_abs.is_finite() && relative_l2.is_finite()).then_some(Difference {
            max_abs,
            relative_l2,
        })
    }
}

impl AttentionReport {
    /// The rows as text.
    pub fn table(&self) -> Table {
        build(COLUMNS, &self.rows)
    }
}

const COLUMNS: &[Cells<AttentionRow>] = &[
    (words("dtype", "dtype"), |r| Some(r.shape.dtype.to_string())),
    (number("heads", "heads"), |r| {
        Some(r.shape.heads.to_string())
    }),
    (number("head_dim", "head dim"), |r| {
        Some(r.shape.head_dim.to_string())
    }),
    (number("length", "length"), |r| {
        Some(r.shape.length.to_string())
    }),
    (number("op_ms", "fused ms"), |r| {
        r.op.times.map(|t| short(t.p50_ms))
    }),
    (number("naive_ms", "separate ms"), |r| {
        r.naive.times.map(|t| short(t.p50_ms))
    }),
    (number("speed_up", "fused speed-up"), |r| {
        r.speed_up
            .as_ref()
            .map(|s| factor(s.ratio, s.interval.as_ref()))
    }),
    (words("verdict", "verdict"), |r| {
        r.speed_up.as_ref()?.verdict.map(|v| v.words().to_owned())
    }),
    (number("op_gflops", "fused GFLOP/s"), |r| {
        r.op.gflops.map(short)
    }),
    (number("naive_gflops", "separate GFLOP/s"), |r| {
        r.naive.gflops.map(short)
    }),
    (number("op_peak_mb", "fused peak MB"), |r| {
        r.op.planned_peak_bytes.map(megabytes)
    }),
    (number("naive_peak_mb", "separate peak MB"), |r| {
        r.naive.planned_peak_bytes.map(megabytes)
    }),
    (number("max_abs", "max abs. difference"), |r| {
        r.difference.map(|d| short(d.max_abs))
    }),
    (number("relative_l2", "relative L2"), |r| {
        r.difference.map(|d| short(d.relative_l2))
    }),
    (words("not_measured", "not measured because"), not_measured),
];

fn not_measured(row: &AttentionRow) -> Option<String> {
    match (row.op.outcome.reason(), row.naive.outcome.reason()) {
        (None, None) => None,
        (Some(op), Some(naive)) if op == naive => Some(op.to_owned()),
        (op, naive) => {
            let op = op.map(|why| format!("fused: {why}"));
            let naive = naive.map(|why| format!("separate: {why}"));
            Some(op.into_iter().chain(naive).collect::<Vec<_>>().join("; "))
        }
    }
}

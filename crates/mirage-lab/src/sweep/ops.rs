//! Measures the operations of a graph one by one.

use std::{ops::ControlFlow, time::Duration};

use mirage_backend::{Backend, CompileOptions};
use mirage_bench::{
    ledger::{Model, Roofline, Throughput},
    measure::{Clock, MeasureError, MeasureOptions, Progress, Series, Subject, measure},
    render::{Cells, Table, build, number, short, words},
    stats::{Interval, Resampling, medians_interval},
};
use mirage_ir::Attrs;
use mirage_machine::Memory;
use serde::{Deserialize, Serialize};

use crate::sweep::{Outcome, Program, ProgramError, Rotation, Setting, Times, Work, memory};

/// The version of [`OpsReport`]'s schema.
pub const SCHEMA: u32 = 1;

/// Identifies an [`OpsReport`] among other JSON.
pub const FORMAT: &str = "mirage-ops";

/// The report of `mirage bench ops`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpsReport {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the numbers belong to.
    #[serde(flatten)]
    pub setting: Setting,
    /// The model.
    pub model: Model,
    /// The frame's shape, `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// Denoising steps per frame.
    pub steps: usize,
    /// The passes, in the form of `--passes`.
    pub passes: String,
    /// A whole frame's execution, measured in turn with the rows.
    pub frame: Times,
    /// The rows.
    pub rows: Vec<OpRow>,
}

/// An operation on one set of shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpRow {
    /// The operation; of a region `region:` and the kind.
    pub op: String,
    /// The types of its operands; those fixed at compile time follow a bar.
    pub shapes: String,
    /// Dtype and shape of its first operand, and the shape of the largest one that is fixed.
    pub brief: String,
    /// Its attributes.
    pub attributes: String,
    /// The number of executions per frame.
    pub count: u64,
    /// The layers with this operation.
    pub layers: Vec<String>,
    /// Whether it was measured.
    pub outcome: Outcome,
    /// Times of one execution.
    pub times: Option<Times>,
    /// `count` times the median, ms.
    pub total_ms: Option<f64>,
    /// `count` times the median, divided by the median of the frame, with its interval; null with fewer than
    /// 6 samples.
    pub share: Option<Interval>,
    /// Floating-point operations of one execution; a multiply-add counts two.
    pub flops: u64,
    /// Bytes of its operands and results.
    pub bytes: u64,
    /// Its rates.
    pub throughput: Option<Throughput>,
    /// Its inputs.
    pub inputs: Rotation,
    /// Bytes of weights, as prepared by the backend.
    pub weight_bytes: Option<u64>,
}

/// How operations are measured.
pub struct OpsOptions<'a> {
    /// What compiles and runs.
    pub backend: &'a dyn Backend,
    /// How it compiles.
    pub compile: CompileOptions,
    /// The attributes of the graph that the operations come from.
    pub attrs: &'a Attrs,
    /// Bytes that an operation's sets of inputs shall fill together.
    pub rotate_bytes: u64,
    /// Bytes of the largest cache, beyond which inputs lie that fill more.
    pub cache_bytes: u64,
    /// The limits of the machine.
    pub roofline: Option<Roofline>,
    /// Time and order; the seed is the inputs', too.
    pub measure: MeasureOptions,
}

/// The result of [`measure_ops`].
#[derive(Clone, Debug, PartialEq)]
pub struct OpsMeasurement {
    /// The whole frame.
    pub frame: Times,
    /// The operations, in the order in which they were given.
    pub rows: Vec<OpRow>,
    /// The time it took.
    pub elapsed: Duration,
    /// Whether it was stopped early.
    pub stopped: bool,
}

/// Measures operations in turn with each other and with the whole frame.
///
/// # Errors
/// If there is too little time to run each twice, or if the frame fails.
pub fn measure_ops(
    works: &[Work],
    frame: &mut Program,
    options: &OpsOptions<'_>,
    clock: &dyn Clock,
    watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<OpsMeasurement, OpsError> {
    let mut built: Vec<Result<Program, Outcome>> = works
        .iter()
        .map(|work| program(work, works.len(), options))
        .collect();
    let programs = built.iter_mut().filter_map(|b| b.as_mut().ok());
    let mut subjects: Vec<&mut dyn Subject> = vec![frame];
    subjects.extend(programs.map(|p| p as &mut dyn Subject));
    let measured = measure(&mut subjects, &options.measure, clock, watch)?;
    drop(subjects);
    let mut series = measured.series.into_iter();
    let whole = series.next().unwrap_or_default();
    if let Some(why) = whole.failure {
        return Err(OpsError::Frame(why));
    }
    let resampling = Resampling {
        seed: options.measure.seed,
        ..Resampling::default()
    };
    let times = Times::of(&whole, frame.repeats(), &resampling);
    let rows = works.iter().zip(&built).map(|(work, built)| match built {
        Err(outcome) => OpRow::unmeasured(work, outcome.clone()),
        Ok(program) => {
            let series = series.next().unwrap_or_default();
            OpRow::of(
                work,
                program,
                &series,
                &whole,
                options.roofline,
                &resampling,
            )
        }
    });
    Ok(OpsMeasurement {
        rows: rows.collect(),
        frame: times.ok_or_else(|| OpsError::Frame("no samples".to_owned()))?,
        elapsed: measured.elapsed,
        stopped: measured.stopped,
    })
}

/// Why operations cannot be measured.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OpsError {
    /// Not enough time, or stopped.
    #[error(transparent)]
    Measure(#[from] MeasureError),
    /// The frame failed.
    #[error("the whole frame failed: {0}")]
    Frame(String),
}

/// Compiles one operation, or returns why it cannot be measured. All `count` operations are held at once, so
/// their inputs share a quarter of the free memory.
fn program(work: &Work, count: usize, options: &OpsOptions<'_>) -> Result<Program, Outcome> {
    let seed = options.measure.seed;
    let failed = |e: &dyn std::fmt::Display| Outcome::Failed(e.to_string());
    let graph = work.graph(options.attrs).map_err(|e| failed(&e))?;
    let free = Memory::here().map_or(u64::MAX, |memory| memory.available);
    let share = free / 4 / count.max(1) as u64;
    let rotation = Rotation::of(&graph, options.rotate_bytes.min(share), options.cache_bytes);
    let inputs = rotation.sets * rotation.bytes_a_set;
    memory::fits(memory::needed(&graph).saturating_add(inputs), None).map_err(Outcome::Skipped)?;
    let make = || -> Result<Program, ProgramError> {
        let params = Program::params(&graph, seed)?;
        Program::new(
            &graph,
            &params,
            rotation,
            seed,
            options.backend,
            &options.compile,
        )
    };
    make().map_err(|e| failed(&e))
}

impl OpRow {
    fn unmeasured(work: &Work, outcome: Outcome) -> Self {
        OpRow {
            op: work.name(),
            shapes: work.shapes(),
            brief: work.brief(),
            attributes: work.attributes(),
            count: work.count,
            layers: work.layers.iter().map(|l| l.to_string()).collect(),
            outcome,
            times: None,
            total_ms: None,
            share: None,
            flops: work.cost.flops,
            bytes: work.cost.bytes(),
            throughput: None,
            inputs: Rotation::default(),
            weight_bytes: None,
        }
    }

    fn of(
        work: &Work,
        program: &Program,
        series: &Series,
        frame: &Series,
        roofline: Option<Roofline>,
        resampling: &Resampling,
    ) -> Self {
        let outcome = match &series.failure {
            Some(why) => Outcome::Failed(why.clone()),
            None => Outcome::Measured,
        };
        let times = Times::of(series, program.repeats(), resampling);
        let count = work.count as f64;
        let pair = [&series.samples_ms[..], &frame.samples_ms[..]];
        let share = medians_interval(&pair, resampling, |m| vec![count * m[0] / m[1]]);
        OpRow {
            times,
            total_ms: times.map(|t| count * t.p50_ms),
            share: share.ok().and_then(|s| s.first().copied()),
            throughput: times.map(|t| throughput(work, t.p50_ms, roofline)),
            inputs: program.rotation(),
            weight_bytes: Some(program.memory().weight_bytes),
            ..OpRow::unmeasured(work, outcome)
        }
    }
}

fn throughput(work: &Work, ms: f64, roofline: Option<Roofline>) -> Throughput {
    let (flops, bytes) = (work.cost.flops, work.cost.bytes());
    let a_second = |count: u64| count as f64 / (ms * 1e6);
    // What computes nothing is held against the bandwidth.
    let percent = |r: Roofline| match flops {
        0 => 100.0 * a_second(bytes) / r.gbytes,
        _ => 100.0 * a_second(flops) / r.attainable_gflops(flops, bytes),
    };
    Throughput {
        gflops: a_second(flops),
        gbytes: a_second(bytes),
        roofline_percent: roofline.map(percent).filter(|p| p.is_finite()),
    }
}

/// The sort order of rows, the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The total time in a frame.
    Total,
    /// The time of one execution.
    Time,
    /// The number of executions per frame.
    Count,
    /// Operations per second, the slowest first.
    Gflops,
    /// Bytes per second, the slowest first.
    Gbytes,
    /// Percent of the roofline, the farthest first.
    Roofline,
    /// The name, then the total time in a frame.
    Name,
}

impl OpsReport {
    /// Sorts the rows; those that were not measured come last.
    pub fn sort(&mut self, by: SortBy) {
        let rate = |row: &OpRow, of: fn(&Throughput) -> Option<f64>| {
            row.throughput.as_ref().and_then(of).map(|rate| -rate)
        };
        let key = |row: &OpRow| match by {
            SortBy::Total | SortBy::Name => row.total_ms,
            SortBy::Time => row.times.map(|t| t.p50_ms),
            SortBy::Count => Some(row.count as f64),
            SortBy::Gflops => rate(row, |t| Some(t.gflops)),
            SortBy::Gbytes => rate(row, |t| Some(t.gbytes)),
            SortBy::Roofline => rate(row, |t| t.roofline_percent),
        };
        let key = |row: &OpRow| key(row).unwrap_or(f64::NEG_INFINITY);
        self.rows.sort_by(|a, b| {
            let largest_first = key(b).total_cmp(&key(a));
            match by {
                SortBy::Name => a.op.cmp(&b.op).then(largest_first),
                _ => largest_first,
            }
        });
    }

    /// Returns the fraction of the frame that the rows cover.
    pub fn covered(&self) -> f64 {
        let totals = self.rows.iter().filter_map(|r| r.total_ms);
        totals.sum::<f64>() / self.frame.p50_ms
    }

    /// The rows as text.
    pub fn table(&self) -> Table {
        build(COLUMNS, &self.rows)
    }
}

const COLUMNS: &[Cells<OpRow>] = &[
    (words("op", "operation"), |r| Some(r.op.clone())),
    (words("shapes", "shapes"), |r| Some(r.shapes.clone())),
    (words("brief", "operands"), |r| Some(r.brief.clone())),
    (words("attributes", "attributes"), |r| {
        Some(r.attributes.clone())
    }),
    (number("count", "count"), |r| Some(r.count.to_string())),
    (words("layers", "layers"), |r| Some(r.layers.join(" "))),
    (number("p50_ms", "p50 ms"), |r| {
        r.times.map(|t| short(t.p50_ms))
    }),
    (number("low_ms", "low"), |r| {
        Some(short(r.times?.interval_ms?.low))
    }),
    (number("high_ms", "high"), |r| {
        Some(short(r.times?.interval_ms?.high))
    }),
    (number("p95_ms", "p95 ms"), |r| {
        r.times.map(|t| short(t.p95_ms))
    }),
    (number("samples", "samples"), |r| {
        r.times.map(|t| t.samples.to_string())
    }),
    (number("total_ms", "total ms"), |r| r.total_ms.map(short)),
    (number("share_percent", "% of frame"), |r| {
        r.share.map(|s| short(100.0 * s.estimate))
    }),
    (number("gflop", "GFLOP"), |r| {
        Some(short(r.flops as f64 / 1e9))
    }),
    (number("mb", "MB"), |r| Some(short(r.bytes as f64 / 1e6))),
    (number("gflops", "GFLOP/s"), |r| {
        r.throughput.map(|t| short(t.gflops))
    }),
    (number("gbytes", "GB/s"), |r| {
        r.throughput.map(|t| short(t.gbytes))
    }),
    (number("roofline_percent", "% of roofline"), |r| {
        r.throughput?.roofline_percent.map(short)
    }),
    (number("input_sets", "input sets"), |r| {
        r.times.map(|_| r.inputs.sets.to_string())
    }),
    (words("inputs", "inputs"), |r| {
        r.times.map(|_| match r.inputs.beyond_cache {
            true => "beyond the cache".to_owned(),
            false => "within the cache".to_owned(),
        })
    }),
    (words("outcome", "not measured because"), |r| {
        r.outcome.reason().map(str::to_owned)
    }),
];

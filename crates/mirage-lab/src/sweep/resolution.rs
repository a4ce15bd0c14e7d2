//! Measures how time, memory and operations grow with the size of a frame.

use std::{ops::ControlFlow, time::Duration};

use mirage_bench::{
    ledger::Model,
    measure::{Clock, MeasureError, Series, Subject, measure},
    render::{Cells, Table, build, megabytes, number, short, with_interval, words},
    stats::{Growth, MIN_SAMPLES, Resampling, Sized, growth},
};
use serde::{Deserialize, Serialize};

use crate::sweep::{
    Outcome, Setting, Times,
    report::{measuring_time, no_time, part},
};

/// The version of [`ResolutionReport`]'s schema.
pub const SCHEMA: u32 = 1;

/// Identifies a [`ResolutionReport`] among other JSON.
pub const FORMAT: &str = "mirage-resolution";

/// The report of `mirage bench resolution`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolutionReport {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// What the numbers belong to.
    #[serde(flatten)]
    pub setting: Setting,
    /// The model.
    pub model: Model,
    /// Denoising steps per frame.
    pub steps: usize,
    /// The passes, in the form of `--passes`.
    pub passes: String,
    /// The growth of time with pixels, over rows with 6 samples or more.
    pub time_growth: Growth,
    /// The exponent of the growth of operations with pixels.
    pub flops_growth: Option<f64>,
    /// The rows, by side.
    pub rows: Vec<ResolutionRow>,
}

/// The measurement of one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolutionRow {
    /// Width and height of the frame in the model.
    pub side: usize,
    /// Whether it was measured.
    pub outcome: Outcome,
    /// Times of a frame.
    pub times: Option<Times>,
    /// Frames per second at the median.
    pub fps: Option<f64>,
    /// Facts about its program; null if there is none.
    #[serde(flatten)]
    pub facts: Option<Facts>,
    /// The exponent of the growth of time with pixels since the row before, with its interval; null
    /// for the first.
    pub exponent: Option<mirage_bench::stats::Interval>,
    /// The samples, ms.
    pub samples_ms: Vec<Vec<f64>>,
}

/// Facts about the program of a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Floating-point operations of a frame; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that the nodes read and write.
    pub bytes: u64,
    /// Bytes of weights, as prepared by the backend.
    pub weight_bytes: u64,
    /// The planned peak of activations.
    pub planned_peak_bytes: u64,
    /// Memory held for activations; null if the engine does not report it.
    pub held_bytes: Option<u64>,
    /// Compile time, ms.
    pub compile_ms: f64,
}

/// The program of a side.
pub struct SideProgram {
    /// Runs a frame.
    pub frame: Box<dyn Subject>,
    /// Facts about the program.
    pub facts: Facts,
}

/// The progress of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The side that is compiled or measured.
    pub side: usize,
    /// The time since the start.
    pub elapsed: Duration,
}

/// The result of [`sweep`].
#[derive(Clone, Debug, PartialEq)]
pub struct ResolutionMeasurement {
    /// The rows.
    pub rows: Vec<ResolutionRow>,
    /// The growth of time.
    pub time_growth: Growth,
    /// The growth of operations.
    pub flops_growth: Option<f64>,
    /// The time it took.
    pub elapsed: Duration,
    /// Whether it was stopped early.
    pub stopped: bool,
}

/// Measures ascending sides one after the other. If a side does not fit into memory (`build` returns
/// [`Outcome::Skipped`]) or time, the rows of that side and all larger ones say so. A failed side does not
/// stop the sweep.
pub fn sweep(
    sides: &[usize],
    budget: Duration,
    seed: u64,
    clock: &dyn Clock,
    build: &mut dyn FnMut(usize) -> Result<SideProgram, Outcome>,
    watch: &mut dyn FnMut(At) -> ControlFlow<()>,
) -> ResolutionMeasurement {
    let mut sweep = Sweep {
        budget,
        seed,
        clock,
        watch,
        start: clock.now(),
        last: None,
        ended: None,
        stopped: false,
    };
    let mut rows = Vec::with_capacity(sides.len());
    for (i, &side) in sides.iter().enumerate() {
        let left = u32::try_from(sides.len() - i).unwrap_or(u32::MAX);
        rows.push(sweep.side(side, left, build));
    }
    let (elapsed, stopped) = (sweep.elapsed(), sweep.stopped);
    let resampling = Resampling {
        seed,
        ..Resampling::default()
    };
    let time_growth = grow(&mut rows, &resampling);
    let flops = rows
        .iter()
        .filter_map(|r| Some((pixels(r.side), r.facts?.flops as f64)));
    let flops: Vec<(f64, f64)> = flops.filter(|(_, flops)| *flops > 0.0).collect();
    ResolutionMeasurement {
        flops_growth: (flops.len() > 1).then(|| mirage_bench::stats::exponent(&flops)),
        rows,
        time_growth,
        elapsed,
        stopped,
    }
}

fn pixels(side: usize) -> f64 {
    (side * side) as f64
}

/// Computes the growth over the rows with enough samples, and sets the exponent of each.
fn grow(rows: &mut [ResolutionRow], resampling: &Resampling) -> Growth {
    let mut enough: Vec<&mut ResolutionRow> = rows
        .iter_mut()
        .filter(|r| r.samples_ms.iter().map(Vec::len).sum::<usize>() >= MIN_SAMPLES)
        .collect();
    let points: Vec<Sized> = enough
        .iter()
        .map(|r| Sized {
            size: pixels(r.side),
            samples_ms: r.samples_ms.clone(),
        })
        .collect();
    // Cannot fail: rows with too few samples are excluded, and times are positive.
    let growth = growth(&points, resampling).unwrap_or_default();
    for (row, between) in enough.iter_mut().skip(1).zip(&growth.between) {
        row.exponent = Some(*between);
    }
    growth
}

struct Sweep<'a> {
    budget: Duration,
    seed: u64,
    clock: &'a dyn Clock,
    watch: &'a mut dyn FnMut(At) -> ControlFlow<()>,
    start: Duration,
    /// The last measured side: side, build time, time of a frame.
    last: Option<(usize, Duration, Duration)>,
    /// Why larger sides are not measured.
    ended: Option<Outcome>,
    stopped: bool,
}

impl Sweep<'_> {
    fn elapsed(&self) -> Duration {
        self.clock.now().saturating_sub(self.start)
    }

    fn left(&self) -> Duration {
        self.budget.saturating_sub(self.elapsed())
    }

    fn side(
        &mut self,
        side: usize,
        sides_left: u32,
        build: &mut dyn FnMut(usize) -> Result<SideProgram, Outcome>,
    ) -> ResolutionRow {
        let begin = self.elapsed();
        let at = At {
            side,
            elapsed: begin,
        };
        if self.ended.is_none() && (self.watch)(at).is_break() {
            self.stop();
        }
        let (need, left) = (self.need(side), self.left());
        if self.ended.is_none() && (left.is_zero() || need > left) {
            self.ended = Some(no_time(need, left));
        }
        if let Some(ended) = &self.ended {
            return ResolutionRow::unmeasured(side, ended.clone(), None);
        }
        let mut built = match build(side) {
            Ok(built) => built,
            Err(outcome) => {
                if let Outcome::Skipped(_) = outcome {
                    self.ended = Some(outcome.clone());
                }
                return ResolutionRow::unmeasured(side, outcome, None);
            }
        };
        let took = self.elapsed().saturating_sub(begin);
        let share = (self.left() / sides_left)
            .max(need.mul_f64(1.5))
            .min(self.left());
        match self.measure(side, &mut *built.frame, share) {
            Ok(series) => {
                let row = ResolutionRow::of(side, series, built.facts, self.seed);
                if let Some(times) = row.times {
                    let frame = Duration::from_secs_f64(times.p50_ms / 1e3);
                    self.last = Some((side, took, frame));
                }
                row
            }
            Err(outcome) => {
                // Keep an earlier reason.
                self.ended.get_or_insert_with(|| outcome.clone());
                ResolutionRow::unmeasured(side, outcome, Some(built.facts))
            }
        }
    }

    /// Estimates the time of a side from the last one: linear in pixels for the build, to the power of 1.5 for
    /// a frame, between convolution (1) and attention (2).
    fn need(&self, side: usize) -> Duration {
        let Some((last, build, frame)) = self.last else {
            return Duration::ZERO;
        };
        let ratio = pixels(side) / pixels(last);
        build.mul_f64(ratio) + measuring_time(frame.mul_f64(ratio.powf(1.5)))
    }

    fn measure(
        &mut self,
        side: usize,
        frame: &mut dyn Subject,
        budget: Duration,
    ) -> Result<Series, Outcome> {
        let (clock, start, watch) = (self.clock, self.start, &mut *self.watch);
        let mut stopped = false;
        let measured = measure(&mut [frame], &part(budget, self.seed), clock, &mut |_| {
            let elapsed = clock.now().saturating_sub(start);
            let flow = watch(At { side, elapsed });
            stopped |= flow.is_break();
            flow
        });
        if stopped {
            self.stop();
        }
        match measured {
            Ok(measured) => Ok(measured.series.into_iter().next().unwrap_or_default()),
            Err(MeasureError::NoTime { round, .. }) => Err(no_time(2 * round, budget)),
            Err(MeasureError::Stopped) => Err(Outcome::Skipped("interrupted".to_owned())),
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.ended = Some(Outcome::Skipped("interrupted".to_owned()));
    }
}

impl ResolutionRow {
    fn unmeasured(side: usize, outcome: Outcome, facts: Option<Facts>) -> Self {
        ResolutionRow {
            side,
            outcome,
            times: None,
            fps: None,
            facts,
            exponent: None,
            samples_ms: Vec::new(),
        }
    }

    fn of(side: usize, series: Series, facts: Facts, seed: u64) -> Self {
        let resampling = Resampling {
            seed,
            ..Resampling::default()
        };
        let times = Times::of(&series, 1, &resampling);
        let outcome = match series.failure {
            Some(why) => Outcome::Failed(why),
            None => Outcome::Measured,
        };
        ResolutionRow {
            times,
            fps: times.map(|t| 1e3 / t.p50_ms),
            samples_ms: series.samples_ms,
            ..ResolutionRow::unmeasured(side, outcome, Some(facts))
        }
    }
}

impl ResolutionReport {
    /// The rows as text.
    pub fn table(&self) -> Table {
        build(COLUMNS, &self.rows)
    }

    /// Describes the growth of time and operations; `None` with fewer than two sides.
    pub fn growth(&self) -> Option<String> {
        let overall = self.time_growth.overall.as_ref()?;
        let flops = self.flops_growth.map_or_else(String::new, |f| {
            format!(", the number of operations with pixels^{}", short(f))
        });
        Some(format!(
            "the time of a frame grows with pixels^{}{flops}",
            with_interval(overall)
        ))
    }
}

const COLUMNS: &[Cells<ResolutionRow>] = &[
    (number("side", "side"), |r| Some(r.side.to_string())),
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
    (number("fps", "FPS"), |r| r.fps.map(short)),
    (number("exponent", "exponent"), |r| {
        r.exponent.as_ref().map(with_interval)
    }),
    (number("gflop", "GFLOP"), |r| {
        Some(short(r.facts?.flops as f64 / 1e9))
    }),
    (number("gflops", "GFLOP/s"), |r| {
        Some(short(r.facts?.flops as f64 / (r.times?.p50_ms * 1e6)))
    }),
    (number("weight_mb", "weights MB"), |r| {
        Some(megabytes(r.facts?.weight_bytes))
    }),
    (number("planned_peak_mb", "planned peak MB"), |r| {
        Some(megabytes(r.facts?.planned_peak_bytes))
    }),
    (number("held_mb", "held MB"), |r| {
        r.facts?.held_bytes.map(megabytes)
    }),
    (number("compile_ms", "compile ms"), |r| {
        Some(short(r.facts?.compile_ms))
    }),
    (words("outcome", "not measured because"), |r| {
        r.outcome.reason().map(str::to_owned)
    }),
];

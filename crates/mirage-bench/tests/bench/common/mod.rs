//! A ledger of made-up times, as `mirage bench` would make it.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Duration;

use mirage_bench::frame_error::FrameError;
use mirage_bench::ledger::{
    Backend, Build, Errors, FORMAT, Facts, Layer, LayerTimes, Ledger, Machine, Memory, Method,
    Model, PassId, Roofline, Rules, SCHEMA, Setting, assemble,
};
use mirage_bench::measure::{Clock, MeasureOptions, Subject, measure};
use mirage_bench::plan::{PassSet, PlanOptions, plan};
use mirage_bench::stats::{DEFAULT_MARGIN, Resampling};

/// The passes: the third needs the first, and the last has a name to be escaped.
pub(crate) const PASSES: [&str; 4] = ["fp16", "channels_last", "fuse", "<b>&\"bold\"|"];

/// What the sets take, ms, and how it is told.
pub(crate) struct Made {
    /// Without passes.
    pub(crate) base_ms: f64,
    /// What a pass does to the time.
    pub(crate) factors: [f64; 4],
    /// A set that fails in its 30th run.
    pub(crate) fails: Option<PassSet>,
    /// The seed of the noise.
    pub(crate) seed: u64,
    /// The time given, ms.
    pub(crate) budget_ms: u64,
}

impl Default for Made {
    fn default() -> Self {
        Made {
            base_ms: 20.0,
            factors: [0.7, 1.0, 0.8, 1.25],
            fails: None,
            seed: 1,
            budget_ms: 60_000,
        }
    }
}

struct Fake<'a> {
    now: &'a Cell<Duration>,
    time_ms: f64,
    noise: u64,
    left: Option<u32>,
}

impl Subject for Fake<'_> {
    fn run(&mut self) -> Result<Duration, String> {
        if self.left == Some(0) {
            return Err("out of memory".to_owned());
        }
        self.left = self.left.map(|n| n - 1);
        // A linear congruential generator (Knuth's MMIX); its high bits are uniform enough for noise.
        self.noise = self
            .noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let uniform = (self.noise >> 40) as f64 / f64::from(1 << 24);
        let time = Duration::from_secs_f64(self.time_ms * (1.0 + 0.04 * uniform) / 1e3);
        self.now.set(self.now.get() + time);
        Ok(time)
    }
}

struct Now<'a>(&'a Cell<Duration>);

impl Clock for Now<'_> {
    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// Passes named by place; the third needs the first.
pub(crate) fn legal(set: &[usize]) -> Result<(), String> {
    match set.contains(&2) && !set.contains(&0) {
        true => Err("fuse needs fp16".to_owned()),
        false => Ok(()),
    }
}

impl Made {
    fn time_ms(&self, set: PassSet) -> f64 {
        set.indices()
            .iter()
            .fold(self.base_ms, |t, &p| t * self.factors[p])
    }

    fn facts(set: PassSet) -> Facts {
        let half = set.contains(0);
        let error = FrameError {
            max_abs: if half { 0.004 } else { 0.0 },
            relative_l2: Some(if half { 1.3e-3 } else { 0.0 }),
            psnr_db: half.then_some(61.25),
            ssim: Some(if half { 0.9998 } else { 1.0 }),
        };
        Facts {
            build: Build {
                dtype: Some(if half { "f16" } else { "f32" }.to_owned()),
                compile_ms: Some(120.0 + set.len() as f64),
                rewrites: Some(10 * set.len() as u64),
            },
            memory: Memory {
                weight_bytes: Some(if half { 13_000_000 } else { 26_000_000 }),
                planned_peak_bytes: Some(4_200_000),
                measured_peak_bytes: None,
                resident_bytes: Some(180_000_000),
            },
            flops: Some(2_400_000_000),
            bytes: Some(90_000_000),
            error_bound: None,
            error: Some(Errors {
                frame: error,
                closed_loop: half.then_some(FrameError {
                    psnr_db: Some(48.0),
                    ..error
                }),
            }),
            notes: Vec::new(),
        }
    }

    /// The ledger.
    pub(crate) fn ledger(&self) -> Ledger {
        let plan = plan(
            PASSES.len(),
            PlanOptions {
                shapley: true,
                control: true,
                ..PlanOptions::default()
            },
            legal,
        )
        .unwrap();
        let now = Cell::new(Duration::ZERO);
        let subject = |(place, &set): (usize, &PassSet)| Fake {
            now: &now,
            time_ms: self.time_ms(set),
            noise: self.seed * 1000 + place as u64,
            left: (self.fails == Some(set)).then_some(30),
        };
        let mut fakes: Vec<Fake<'_>> = plan.subjects.iter().enumerate().map(subject).collect();
        let mut subjects: Vec<&mut dyn Subject> =
            fakes.iter_mut().map(|f| f as &mut dyn Subject).collect();
        let options = MeasureOptions {
            budget: Duration::from_millis(self.budget_ms),
            ..MeasureOptions::default()
        };
        let measured = measure(&mut subjects, &options, &Now(&now), &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        let passes: Vec<PassId> = PASSES
            .iter()
            .map(|&name| PassId {
                name: name.to_owned(),
                version: 1,
                spec: name.to_owned(),
            })
            .collect();
        let facts: Vec<Facts> = plan.subjects.iter().map(|&set| Self::facts(set)).collect();
        let roofline = Roofline {
            gflops: 190.0,
            gbytes: 18.0,
        };
        let rules = Rules {
            resampling: Resampling {
                resamples: 1000,
                ..Resampling::default()
            },
            margin: DEFAULT_MARGIN,
            roofline: Some(roofline),
        };
        let results = assemble(&plan, &passes, &measured, &facts, &rules).unwrap();
        Ledger {
            format: FORMAT.to_owned(),
            schema: SCHEMA,
            setting: setting(roofline),
            passes,
            method: Method {
                budget_s: 60.0,
                elapsed_s: measured.elapsed.as_secs_f64(),
                warm_up: options.warm_up.describe(),
                processes: 1,
                confidence: rules.resampling.confidence,
                resamples: rules.resampling.resamples,
                seed: options.seed,
                margin: rules.margin,
                stopped: measured.stopped,
            },
            warnings: results.warnings,
            rows: results.rows,
            shapley: results.shapley,
            samples_ms: results.samples_ms,
            layers: vec![
                layers("none", self.base_ms),
                layers("all", self.factors.iter().fold(self.base_ms, |t, f| t * f)),
            ],
        }
    }
}

/// A profile that four layers and the way between nodes share.
fn layers(row: &str, ms: f64) -> LayerTimes {
    let layer = |(name, share): (&str, f64)| Layer {
        name: name.to_owned(),
        nodes: 12,
        ms: ms * share,
        flops: 600_000_000,
        bytes: 20_000_000,
    };
    let shares = [
        ("down.0", 0.4),
        ("up.0", 0.3),
        ("middle", 0.2),
        ("(no layer)", 0.08),
    ];
    LayerTimes {
        row: row.to_owned(),
        frames: 20,
        plain_ms: ms,
        profiled_ms: ms * 1.01,
        uncovered_ms: ms * 0.03,
        layers: shares.into_iter().map(layer).collect(),
    }
}

fn setting(roofline: Roofline) -> Setting {
    Setting {
        mirage: "0.1.0".to_owned(),
        measured_at: Some("2026-11-21T10:00:00Z".to_owned()),
        machine: Machine {
            device: "Example CPU".to_owned(),
            details: "2 threads, AVX-512, 24 GB".to_owned(),
            platform: "linux x86_64".to_owned(),
            roofline: Some(roofline),
        },
        backend: Backend {
            name: "cpu".to_owned(),
            version: "0.1.0".to_owned(),
            engine: "burn-flex 0.22.1".to_owned(),
        },
        model: Model {
            name: "lsd-light".to_owned(),
            parameters: 6_500_000,
            trained: false,
            configuration: None,
        },
        shape: [1, 3, 64, 64],
        dtype: "f32".to_owned(),
        seed: 7,
        steps: 2,
        frames: 16,
    }
}

//! Assesses which passes help a model on a backend, and why.

use std::time::Duration;

use mirage_bench::{
    measure::{MeasureOptions, MonotonicClock, Subject, measure},
    stats::{DEFAULT_MARGIN, Interval, Resampling, Verdict, ratio_paired},
};
use mirage_ir::{
    DType, Graph,
    target::{Capabilities, Support},
};
use mirage_pass::{Manager, Numerics, PassInfo, PassRun, PassSpec, PipelineSpec, Registry, plan};
use serde::Serialize;

use crate::{
    LabError, Observer, Result,
    subjects::{Bench, BuiltSet},
};

/// The assessment of a pass on a model's frame.
#[derive(Serialize)]
pub struct PassCheck {
    /// The pass.
    pub pass: &'static str,
    /// The set that was run: the pass itself and the passes that it requires.
    pub with: String,
    /// The expected effect.
    pub expectation: Expectation,
    /// The reasons, one line each.
    pub reasons: Vec<String>,
    /// Places that it rewrote.
    pub rewrites: usize,
    /// The measured speed-up of a frame over no passes; above 1 is faster.
    pub speed_up: Option<Interval>,
    /// The verdict on the interval.
    pub verdict: Option<Verdict>,
}

/// The expected effect of a pass, without running a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// It rewrites the graph, and the backend has fast paths for the capabilities that it uses.
    MayHelp,
    /// It lowers precision, for which the backend has no fast path: it saves memory only.
    MemoryOnly,
    /// It changes nothing.
    Nothing,
    /// It cannot run.
    CannotRun,
}

/// Assesses the passes for a model on a backend.
pub struct Checkup<'a> {
    /// The registered passes.
    pub registry: &'a Registry,
    /// The capabilities of the device.
    pub capabilities: &'a Capabilities,
    /// The graph.
    pub graph: &'a Graph,
}

/// The recommended dtype, and why.
#[derive(Serialize)]
pub struct Precision {
    /// The element type.
    pub dtype: DType,
    /// The reasons, one line each.
    pub reasons: Vec<String>,
}

impl Checkup<'_> {
    /// Assesses every pass that does not always run.
    pub fn passes(&self) -> Vec<PassCheck> {
        let asked = self.registry.infos().filter(|info| !info.always);
        let mut infos: Vec<&'static PassInfo> = asked.collect();
        infos.sort_by_key(|info| (info.phase, info.name));
        infos.into_iter().map(|info| self.pass(info)).collect()
    }

    fn pass(&self, info: &'static PassInfo) -> PassCheck {
        let required = info.requires.iter().filter_map(|name| {
            let answers = |other: &&PassInfo| other.answers_to(name);
            self.registry
                .infos()
                .find(answers)
                .map(|i| PassSpec::new(i.name))
        });
        let spec: PipelineSpec = required.chain([PassSpec::new(info.name)]).collect();
        let mut check = PassCheck {
            pass: info.name,
            with: spec.to_string(),
            expectation: Expectation::CannotRun,
            reasons: Vec::new(),
            rewrites: 0,
            speed_up: None,
            verdict: None,
        };
        match self.run(&spec, info.name) {
            Err(why) => check.reasons.push(why),
            Ok(run) => self.judge(info, &run, &mut check),
        }
        check
    }

    /// Returns the report of a pass when a set is run.
    fn run(&self, spec: &PipelineSpec, name: &str) -> std::result::Result<PassRun, String> {
        let plan = plan(self.registry, spec).map_err(|e| e.to_string())?;
        let ran = Manager::new().run(&plan, self.graph, self.capabilities);
        let (_, report) = ran.map_err(|e| e.to_string())?;
        let row = report.passes.into_iter().find(|p| p.name == name);
        row.ok_or_else(|| format!("the plan has no {name}"))
    }

    fn judge(&self, info: &PassInfo, run: &PassRun, check: &mut PassCheck) {
        check.rewrites = run.rewrites;
        if run.rewrites == 0 {
            check.expectation = Expectation::Nothing;
            check.reasons = run.reasons.clone();
            return;
        }
        let lowers = matches!(info.numerics, Numerics::LowersPrecision { .. });
        let slow: Vec<String> = info
            .needs
            .iter()
            .filter(|need| need.support(self.capabilities) != Some(Support::Fast))
            .map(ToString::to_string)
            .collect();
        check.expectation = match lowers && !slow.is_empty() {
            true => Expectation::MemoryOnly,
            false => Expectation::MayHelp,
        };
        check.reasons.push(effect(run));
        // A pass that lowers precision says so itself.
        if !slow.is_empty() && !lowers {
            let slow = slow.join(", ");
            check
                .reasons
                .push(format!("the backend has no fast path for {slow}"));
        }
        check.reasons.extend(run.notes.iter().cloned());
    }

    /// Returns the dtype that `auto_precision` chooses, and why.
    ///
    /// # Errors
    /// If the pass cannot be planned or fails.
    pub fn precision(&self) -> Result<Precision> {
        const PASS: &str = "auto_precision";
        let spec = PipelineSpec::from_iter([PassSpec::new(PASS)]);
        let plan = plan(self.registry, &spec)?;
        let (graph, report) = Manager::new().run(&plan, self.graph, self.capabilities)?;
        let run = report.passes.into_iter().find(|p| p.name == PASS);
        let run = run.ok_or_else(|| LabError::Failed(format!("the plan has no {PASS}")))?;
        Ok(Precision {
            dtype: mirage_stream::main_dtype(&graph),
            reasons: [run.reasons, run.notes].concat(),
        })
    }
}

/// Describes the effect of a pass on nodes, weights and traffic: `6 places, 48 → 36 nodes, traffic −1.20 MB`.
fn effect(run: &PassRun) -> String {
    let change = |name: &str, before: u64, after: u64| {
        let megabytes = (after as f64 - before as f64) / 1e6;
        (after != before).then(|| format!("{name} {megabytes:+.2} MB").replace('-', "−"))
    };
    let (before, after) = (&run.before, &run.after);
    let places = match run.rewrites {
        1 => "1 place".to_owned(),
        n => format!("{n} places"),
    };
    let parts = [
        Some(places),
        (after.nodes != before.nodes).then(|| format!("{} → {} nodes", before.nodes, after.nodes)),
        change("weights", before.weight_bytes, after.weight_bytes),
        change("traffic", before.bytes, after.bytes),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Measures a frame with each pass that changes the graph, in turn with a frame without passes.
///
/// # Errors
/// If the budget is too short for a round.
pub(super) fn time(
    checks: &mut [PassCheck],
    bench: &Bench<'_>,
    registry: &Registry,
    budget: Duration,
    observer: &dyn Observer,
) -> Result<()> {
    let scene = bench.scene()?;
    let planned = |spec: &str| {
        let spec: PipelineSpec = spec.parse().map_err(|e| format!("{e}"))?;
        plan(registry, &spec).map_err(|e| e.to_string())
    };
    let does = |c: &&mut PassCheck| {
        matches!(
            c.expectation,
            Expectation::MayHelp | Expectation::MemoryOnly
        )
    };
    let mut timed: Vec<&mut PassCheck> = checks.iter_mut().filter(does).collect();
    let sets = std::iter::once("").chain(timed.iter().map(|check| check.with.as_str()));
    let mut built = bench.build_all(sets.map(planned), &scene);
    let mut subjects: Vec<&mut dyn Subject> = built
        .iter_mut()
        .map(|b: &mut BuiltSet| b as &mut dyn Subject)
        .collect();
    let options = MeasureOptions {
        budget,
        max_rounds: 100,
        seed: bench.job.seed,
        ..MeasureOptions::default()
    };
    let clock = MonotonicClock::default();
    let measured = measure(&mut subjects, &options, &clock, &mut |_| observer.flow())
        .map_err(|e| LabError::Failed(format!("--time: {e}")))?;
    let (none, others) = measured.series.split_at(1);
    for (check, series) in timed.iter_mut().zip(others) {
        if let Some(why) = &series.failure {
            check.expectation = Expectation::CannotRun;
            check.reasons.insert(0, why.clone());
            continue;
        }
        let how = Resampling::default();
        check.speed_up = ratio_paired(&none[0].samples_ms, &series.samples_ms, &how).ok();
        check.verdict = check
            .speed_up
            .map(|s| Verdict::of_speed_up(&s, DEFAULT_MARGIN));
    }
    Ok(())
}

//! The search: named sets first, then one change at a time to the best, raced against each other, and
//! at the end the best against all named sets once more.

mod contest;
mod entry;

use std::time::{Duration, Instant};

use mirage_bench::{ledger::Errors, measure::Measurement};
use mirage_ir::target::Capabilities;
use mirage_pass::{Manager, PipelineSpec, Registry};
use mirage_passes::pipelines::PIPELINES;
use mirage_video::Frame;

use super::{
    bound::{Bound, Quality},
    budget::Budget,
    candidates::neighbours,
};
use crate::{
    LabError, Observer, Result,
    observer::Event,
    subjects::{Bench, Built, Pictures, another_fits},
};

pub(super) use entry::{Entry, Fate};

/// The name of the set without passes.
pub(super) const NONE: &str = "none";
/// Sets that are built and raced at once: enough to share a warm-up, few enough to learn from.
const BATCH: usize = 4;
/// The share of the budget that the last comparison has to itself.
const RESERVE: f64 = 0.25;
/// Samples of each set that a comparison should have.
const SAMPLES: u32 = 24;

/// What a search found.
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    /// The best set's place.
    pub(super) choice: usize,
    /// The last comparison, of these entries in this order.
    pub(super) last: Measurement,
    pub(super) compared: Vec<usize>,
    /// What could not be tried, and why.
    pub(super) skipped: Vec<String>,
    /// Whether all that is one change away from the best was tried.
    pub(super) exhausted: bool,
}

/// What a search works with.
pub(super) struct Search<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) scene: Vec<Frame>,
    pub(super) registry: &'a Registry,
    pub(super) capabilities: Capabilities,
    pub(super) bound: Option<Bound>,
    pub(super) budget: Budget,
    pub(super) observer: &'a dyn Observer,
    pub(super) seed: u64,
}

/// A search under way.
struct Running<'a> {
    with: Search<'a>,
    entries: Vec<Entry>,
    reference: Option<Pictures>,
    leader: usize,
    /// The longest that passes, compilation and the closed loop took for a set.
    longest_build: Duration,
    /// The longest frame so far, a mean over a loop.
    frame: Duration,
    skipped: Vec<String>,
}

/// What trying a set led to.
enum Tried {
    /// A program of its own, at this place.
    New(usize),
    /// A program that is known.
    Known,
    /// No legal set.
    Illegal(String),
    /// A pass failed, or there is no time or memory.
    Skipped(String),
}

impl<'a> Search<'a> {
    /// Finds the best set within the budget.
    ///
    /// # Errors
    /// The budget does not suffice for the set without passes; that one fails; no set of passes is
    /// within the bound; interrupted.
    pub(super) fn run(self) -> Result<Found> {
        let mut running = Running {
            with: self,
            entries: Vec::new(),
            reference: None,
            leader: 0,
            longest_build: Duration::ZERO,
            frame: Duration::ZERO,
            skipped: Vec::new(),
        };
        running.none()?;
        running.named()?;
        let exhausted = running.climb()?;
        running.check_bound()?;
        running.finish(exhausted)
    }
}

impl Running<'_> {
    /// The set without passes, which everything is compared with.
    fn none(&mut self) -> Result<()> {
        let tried = self.enter(Some(NONE), PipelineSpec::empty())?;
        if let Tried::Illegal(why) | Tried::Skipped(why) = tried {
            return Err(LabError::Failed(why));
        }
        if let Fate::Failed(why) = &self.entries[0].fate {
            return Err(LabError::Failed(format!("the model does not run: {why}")));
        }
        // The loop, a warm-up and a race of two at least.
        match self.with.budget.left() >= self.frame * 8 {
            true => Ok(()),
            false => Err(self.no_time()),
        }
    }

    fn no_time(&self) -> LabError {
        let sets = PIPELINES.len() as u32 + 1;
        let needed =
            self.with.budget.elapsed() + (self.longest_build + self.frame * SAMPLES) * sets;
        LabError::Failed(format!(
            "--budget {} is too short: setup took {} and a frame takes {:.1?}; use at least {} s",
            seconds(self.with.budget.total()),
            seconds(self.with.budget.elapsed()),
            self.frame,
            needed.as_secs() + 1
        ))
    }

    fn named(&mut self) -> Result<()> {
        for pipeline in PIPELINES {
            let spec = pipeline
                .spec()
                .map_err(|e| LabError::Failed(format!("the named set {}: {e}", pipeline.name)))?;
            let tried = self.enter(Some(pipeline.name), spec)?;
            if let Tried::Illegal(why) | Tried::Skipped(why) = tried {
                self.skipped
                    .push(format!("{} was not tried: {why}", pipeline.name));
            }
        }
        let all: Vec<usize> = (0..self.entries.len()).collect();
        self.race(&all)
    }

    /// What to say where no named set keeps the bound; the error where no set of passes does.
    fn check_bound(&mut self) -> Result<()> {
        let Some(bound) = self.with.bound else {
            return Ok(());
        };
        let sets = || self.entries.iter().skip(1).filter(|e| e.errors.is_some());
        let keeps = |e: &Entry| e.fate != Fate::OutOfBound;
        let qualities = sets().filter_map(|e| Some((e, Quality::of(e.errors.as_ref()?))));
        let nearest = qualities.min_by(|a, b| a.1.relative_l2.total_cmp(&b.1.relative_l2));
        let Some((entry, quality)) = nearest else {
            return Ok(());
        };
        let nearest = format!(
            "the nearest is {} with {}",
            entry.title(),
            bound.measure(&quality)
        );
        if !sets().any(keeps) {
            return Err(LabError::Failed(format!(
                "--max-error {bound}: no set of passes that was tried keeps it; {nearest}: allow that, or run without passes"
            )));
        }
        if !sets().any(|e| keeps(e) && !e.names.is_empty()) {
            self.skipped.push(format!("no named set keeps {bound}"));
        }
        Ok(())
    }

    /// Changes the best set by one pass or option at a time for as long as there is time; whether all
    /// changes of the last best one were tried.
    fn climb(&mut self) -> Result<bool> {
        'from_the_leader: loop {
            let spec = self.entries[self.leader].spec.clone();
            let mut left_out = false;
            let mut around =
                neighbours(self.with.registry, &self.with.capabilities, &spec).into_iter();
            loop {
                let before = self.leader;
                let mut batch = vec![before];
                for spec in around.by_ref() {
                    match self.enter(None, spec)? {
                        Tried::New(place) => batch.push(place),
                        Tried::Known | Tried::Illegal(_) => {}
                        Tried::Skipped(why) if !self.has_time_to_build() => {
                            self.skipped.push(format!("the search ended early: {why}"));
                            self.race(&batch)?;
                            return Ok(false);
                        }
                        Tried::Skipped(why) => {
                            self.skipped.push(format!("a set was not tried: {why}"));
                            left_out = true;
                        }
                    }
                    if batch.len() > BATCH {
                        break;
                    }
                }
                if batch.len() == 1 {
                    return Ok(!left_out);
                }
                self.race(&batch)?;
                if self.leader != before {
                    continue 'from_the_leader;
                }
            }
        }
    }

    /// Runs a set's passes, and if the program is new, compiles it and compares its pictures.
    fn enter(&mut self, name: Option<&'static str>, spec: PipelineSpec) -> Result<Tried> {
        self.check_stop()?;
        let plan = match mirage_pass::plan(self.with.registry, &spec) {
            Ok(plan) => plan,
            Err(e) => return Ok(Tried::Illegal(e.to_string())),
        };
        let captured = &self.with.bench.captured.graph;
        let ran = Manager::new().run(&plan, captured, &self.with.capabilities);
        let graph = match ran {
            Ok((graph, _)) => graph,
            Err(e) => return Ok(Tried::Skipped(format!("{spec}: {e}"))),
        };
        if let Some(known) = self.entries.iter_mut().find(|e| e.graph == graph) {
            known.names.extend(name);
            return Ok(Tried::Known);
        }
        if !self.entries.is_empty() && !self.has_time_to_build() {
            return Ok(Tried::Skipped("no time is left to compile it".to_owned()));
        }
        if !self.has_memory() {
            return Ok(Tried::Skipped(format!(
                "{spec}: its weights do not fit in free memory"
            )));
        }
        self.tell(match name {
            Some(name) => format!("compiling {name}"),
            None => format!("compiling set {}", self.entries.len()),
        });
        let start = Instant::now();
        let mut built = self.with.bench.build(Ok(plan), &self.with.scene);
        let errors = self.errors(&mut built);
        self.longest_build = self.longest_build.max(start.elapsed());
        let fate = match &errors {
            Err(why) => Fate::Failed(why.clone()),
            Ok(errors) => match self.with.bound {
                Some(bound) if !bound.allows(&Quality::of(errors)) => Fate::OutOfBound,
                _ => Fate::Stayed,
            },
        };
        self.entries.push(Entry {
            names: name.into_iter().collect(),
            spec,
            graph,
            built: Some(built),
            errors: errors.ok(),
            median_ms: None,
            beside: None,
            fate,
        });
        Ok(Tried::New(self.entries.len() - 1))
    }

    fn errors(&mut self, built: &mut Built) -> std::result::Result<Errors, String> {
        let bench = self.with.bench;
        let start = Instant::now();
        let pictures = bench.pictures(built, &self.with.scene)?;
        let frame = start.elapsed() / self.with.scene.len().max(1) as u32;
        self.frame = self.frame.max(frame);
        let reference = self.reference.get_or_insert_with(|| pictures.clone());
        bench.errors(&pictures, reference)
    }

    /// Whether another set can be built and the last comparison still be made.
    fn has_time_to_build(&self) -> bool {
        self.with.budget.left() > self.longest_build.mul_f64(1.5) + self.reserve()
    }

    fn has_memory(&self) -> bool {
        another_fits(self.entries.iter().filter_map(|e| e.built.as_ref()))
    }

    /// The time of the last comparison.
    fn reserve(&self) -> Duration {
        let samples = self.frame * SAMPLES * (PIPELINES.len() as u32 + 2);
        let share = self.with.budget.total().mul_f64(RESERVE);
        // A tiny model needs no quarter of the time, a large one has no more.
        share.min(samples.max(share / 4))
    }

    fn check_stop(&self) -> Result<()> {
        match self.with.observer.stopped() {
            true => Err(LabError::Interrupted(
                "interrupted before a set was chosen; nothing was written".to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn tell(&self, doing: String) {
        tell(self.with.observer, &self.with.budget, &doing);
    }
}

fn tell(observer: &dyn Observer, budget: &Budget, doing: &str) {
    let left = budget.total().saturating_sub(budget.elapsed());
    let doing = format!("{doing}, {} s left", left.as_secs());
    observer.tell(Event::Elapsed(budget.elapsed(), &doing));
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

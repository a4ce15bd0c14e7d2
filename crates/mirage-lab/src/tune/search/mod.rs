//! The search: named pipelines first, then variants of the best set with one change, raced against each
//! other, and finally the best set against all named pipelines.

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
    subjects::{Bench, BuiltSet, Pictures, another_fits},
};

pub(super) use entry::{Entry, Fate};

/// The name of the set without passes.
pub(super) const NONE: &str = "none";
/// The number of sets per race: enough to share a warm-up, few enough to adapt quickly.
const BATCH: usize = 4;
/// The fraction of the budget that is reserved for the final comparison.
const RESERVE: f64 = 0.25;
/// The number of samples per set in a comparison.
const SAMPLES: u32 = 24;

/// The result of a search.
pub(super) struct SearchResult {
    pub(super) entries: Vec<Entry>,
    /// The index of the best set.
    pub(super) choice: usize,
    /// The final comparison, of the entries `compared` in this order.
    pub(super) last: Measurement,
    pub(super) compared: Vec<usize>,
    /// What was skipped, and why.
    pub(super) skipped: Vec<String>,
    /// Whether all sets one change away from the best were tried.
    pub(super) exhausted: bool,
}

/// The input of a search.
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

/// The state of a search.
struct Running<'a> {
    with: Search<'a>,
    entries: Vec<Entry>,
    reference: Option<Pictures>,
    leader: usize,
    /// The longest time for passes, compilation and closed loop of a set.
    longest_build: Duration,
    /// The longest mean frame time so far.
    frame: Duration,
    skipped: Vec<String>,
}

/// The result of adding a set.
enum Added {
    /// A new program, at this index.
    New(usize),
    /// The same program as another set.
    Known,
    /// An illegal set.
    Illegal(String),
    /// A pass failed, or time or memory is insufficient.
    Skipped(String),
}

impl<'a> Search<'a> {
    /// Finds the best set within the budget.
    ///
    /// # Errors
    /// If the budget is too short for the set without passes, if that set fails, if no set is within the
    /// bound, or if interrupted.
    pub(super) fn run(self) -> Result<SearchResult> {
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
    /// Adds the set without passes, the reference.
    fn none(&mut self) -> Result<()> {
        let tried = self.enter(Some(NONE), PipelineSpec::empty())?;
        if let Added::Illegal(why) | Added::Skipped(why) = tried {
            return Err(LabError::Failed(why));
        }
        if let Fate::Failed(why) = &self.entries[0].fate {
            return Err(LabError::Failed(format!("the model does not run: {why}")));
        }
        // At least the loop, a warm-up and a race of two.
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
                .map_err(|e| LabError::Failed(format!("pipeline {}: {e}", pipeline.name)))?;
            let tried = self.enter(Some(pipeline.name), spec)?;
            if let Added::Illegal(why) | Added::Skipped(why) = tried {
                self.skipped
                    .push(format!("pipeline {} was skipped: {why}", pipeline.name));
            }
        }
        let all: Vec<usize> = (0..self.entries.len()).collect();
        self.race(&all)
    }

    /// Adds a warning if no named pipeline is within the bound.
    ///
    /// # Errors
    /// If no set of passes is within the bound.
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
            "the closest is {} with {}",
            entry.title(),
            bound.measure(&quality)
        );
        if !sets().any(keeps) {
            return Err(LabError::Failed(format!(
                "--max-error {bound}: no set of passes is within the bound; {nearest}; relax the bound, or run without passes"
            )));
        }
        if !sets().any(|e| keeps(e) && !e.names.is_empty()) {
            self.skipped
                .push(format!("no named pipeline is within {bound}"));
        }
        Ok(())
    }

    /// Tries variants of the best set with one change while there is time. Returns whether all variants of the
    /// final best set were tried.
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
                        Added::New(place) => batch.push(place),
                        Added::Known | Added::Illegal(_) => {}
                        Added::Skipped(why) if !self.has_time_to_build() => {
                            self.skipped.push(format!("the search ended early: {why}"));
                            self.race(&batch)?;
                            return Ok(false);
                        }
                        Added::Skipped(why) => {
                            self.skipped.push(format!("a set was skipped: {why}"));
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

    /// Runs the passes of a set, and if the program is new, compiles it and computes its error.
    fn enter(&mut self, name: Option<&'static str>, spec: PipelineSpec) -> Result<Added> {
        self.check_stop()?;
        let plan = match mirage_pass::plan(self.with.registry, &spec) {
            Ok(plan) => plan,
            Err(e) => return Ok(Added::Illegal(e.to_string())),
        };
        let captured = &self.with.bench.captured.graph;
        let ran = Manager::new().run(&plan, captured, &self.with.capabilities);
        let graph = match ran {
            Ok((graph, _)) => graph,
            Err(e) => return Ok(Added::Skipped(format!("{spec}: {e}"))),
        };
        if let Some(known) = self.entries.iter_mut().find(|e| e.graph == graph) {
            known.names.extend(name);
            return Ok(Added::Known);
        }
        if !self.entries.is_empty() && !self.has_time_to_build() {
            return Ok(Added::Skipped("not enough time to compile it".to_owned()));
        }
        if !self.has_memory() {
            return Ok(Added::Skipped(format!(
                "{spec}: the weights do not fit into free memory"
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
        Ok(Added::New(self.entries.len() - 1))
    }

    fn errors(&mut self, built: &mut BuiltSet) -> std::result::Result<Errors, String> {
        let bench = self.with.bench;
        let start = Instant::now();
        let pictures = bench.pictures(built, &self.with.scene)?;
        let frame = start.elapsed() / self.with.scene.len().max(1) as u32;
        self.frame = self.frame.max(frame);
        let reference = self.reference.get_or_insert_with(|| pictures.clone());
        bench.errors(&pictures, reference)
    }

    /// Returns whether another set can be compiled before the final comparison.
    fn has_time_to_build(&self) -> bool {
        self.with.budget.left() > self.longest_build.mul_f64(1.5) + self.reserve()
    }

    fn has_memory(&self) -> bool {
        another_fits(self.entries.iter().filter_map(|e| e.built.as_ref()))
    }

    /// Returns the time reserved for the final comparison.
    fn reserve(&self) -> Duration {
        let samples = self.frame * SAMPLES * (PIPELINES.len() as u32 + 2);
        let share = self.with.budget.total().mul_f64(RESERVE);
        // A tiny model needs less than its share.
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

//! The search: named sets first, then one change at a time to the best, raced against each other, and
//! at the end the best against all named sets once more.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use mirage_bench::{
    ledger::Errors,
    machine::Memory,
    measure::{MeasureOptions, Measurement, MonotonicClock, Subject, measure},
    race::{Race, RaceOptions, race},
    stats::{Interval, median},
};
use mirage_ir::{Graph, target::Capabilities};
use mirage_pass::{Manager, PipelineSpec, Registry};
use mirage_passes::pipelines::PIPELINES;
use mirage_video::Frame;

use super::{
    bound::{Bound, Quality},
    budget::Budget,
    candidates::neighbours,
};
use crate::{
    error::{CliError, Result},
    progress::Stage,
    subjects::{Bench, Built, Pictures},
    units,
};

/// The name of the set without passes.
pub(super) const NONE: &str = "none";
/// Sets that are built and raced at once: enough to share a warm-up, few enough to learn from.
const BATCH: usize = 4;
/// The share of the budget that the last comparison has to itself.
const RESERVE: f64 = 0.25;
/// Samples of each set that a comparison should have.
const SAMPLES: u32 = 24;

/// A set that was tried.
pub(super) struct Entry {
    /// The names that it has; sets that become the same program are one entry.
    pub(super) names: Vec<&'static str>,
    pub(super) spec: PipelineSpec,
    graph: Graph,
    /// `None` once it is out of the race.
    built: Option<Built>,
    pub(super) errors: Option<Errors>,
    /// What a frame takes, ms: the median of the last comparison, or for who was not in it, what it took
    /// beside the best in its race.
    pub(super) median_ms: Option<f64>,
    /// Its time by that of the entry at this place, in its race: the machine's speed in another race is
    /// another.
    beside: Option<(usize, f64)>,
    pub(super) fate: Fate,
}

impl Entry {
    /// Its names, or else its passes.
    pub(super) fn title(&self) -> String {
        match self.names.is_empty() {
            true => self.spec.to_string(),
            false => self.names.join(", "),
        }
    }

    pub(super) fn quality(&self) -> Option<Quality> {
        self.errors.as_ref().map(Quality::of)
    }
}

/// What became of a set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// It stayed in every race that it was in.
    Stayed,
    /// It was wholly slower than the best so far: its time by that one's.
    Slower(Interval),
    /// Its pictures differ too much.
    OutOfBound,
    /// It does not run.
    Failed(String),
}

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
    pub(super) stage: &'a Stage,
    pub(super) stop: &'a AtomicBool,
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
    /// It cannot be planned, or there is no time or memory.
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
        if let Tried::Skipped(why) = self.enter(Some(NONE), PipelineSpec::empty())? {
            return Err(CliError::Failure(why));
        }
        if let Fate::Failed(why) = &self.entries[0].fate {
            return Err(CliError::Failure(format!("the model does not run: {why}")));
        }
        // The loop, a warm-up and a race of two at least.
        match self.with.budget.left() >= self.frame * 8 {
            true => Ok(()),
            false => Err(self.no_time()),
        }
    }

    fn no_time(&self) -> CliError {
        let sets = PIPELINES.len() as u32 + 1;
        let needed =
            self.with.budget.elapsed() + (self.longest_build + self.frame * SAMPLES) * sets;
        CliError::Failure(format!(
            "--budget {}: it is gone after preparing the model and one set, which took {}, and a frame takes {}; give about {} s",
            seconds(self.with.budget.total()),
            seconds(self.with.budget.elapsed()),
            units::duration(self.frame),
            needed.as_secs() + 1
        ))
    }

    fn named(&mut self) -> Result<()> {
        for pipeline in PIPELINES {
            let spec = pipeline
                .spec()
                .map_err(|e| CliError::Failure(format!("the named set {}: {e}", pipeline.name)))?;
            if let Tried::Skipped(why) = self.enter(Some(pipeline.name), spec)? {
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
            return Err(CliError::Failure(format!(
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
            let mut around =
                neighbours(self.with.registry, &self.with.capabilities, &spec).into_iter();
            loop {
                let before = self.leader;
                let mut batch = vec![before];
                for spec in around.by_ref() {
                    match self.enter(None, spec)? {
                        Tried::New(place) => batch.push(place),
                        Tried::Known => {}
                        Tried::Skipped(why) if !self.has_time_to_build() => {
                            self.skipped.push(format!("the search ended early: {why}"));
                            self.race(&batch)?;
                            return Ok(false);
                        }
                        Tried::Skipped(_) => {}
                    }
                    if batch.len() > BATCH {
                        break;
                    }
                }
                if batch.len() == 1 {
                    return Ok(true);
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
            Err(e) => return Ok(Tried::Skipped(e.to_string())),
        };
        let captured = &self.with.bench.captured.graph;
        let ran = Manager::new().run(&plan, captured, &self.with.capabilities);
        let graph = match ran {
            Ok((graph, _)) => graph,
            Err(e) => return Ok(Tried::Skipped(e.to_string())),
        };
        if let Some(known) = self.entries.iter_mut().find(|e| e.graph == graph) {
            known.names.extend(name);
            return Ok(Tried::Known);
        }
        if !self.entries.is_empty() && !self.has_time_to_build() {
            return Ok(Tried::Skipped("no time is left to compile it".to_owned()));
        }
        if !self.has_memory() {
            return Ok(Tried::Skipped(
                "its weights do not fit in free memory".to_owned(),
            ));
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

    /// Whether another set's weights fit, if they are no larger than the largest so far.
    fn has_memory(&self) -> bool {
        let largest = self
            .entries
            .iter()
            .filter_map(|e| e.built.as_ref())
            .map(Built::weight_bytes);
        let largest = largest.max().unwrap_or(0);
        // While it compiles, the weights are there twice.
        Memory::here().is_none_or(|memory| memory.available > 2 * largest)
    }

    /// The time of the last comparison.
    fn reserve(&self) -> Duration {
        let samples = self.frame * SAMPLES * (PIPELINES.len() as u32 + 2);
        let share = self.with.budget.total().mul_f64(RESERVE);
        // A tiny model needs no quarter of the time, a large one has no more.
        share.min(samples.max(share / 4))
    }

    fn check_stop(&self) -> Result<()> {
        match self.with.stop.load(Ordering::Relaxed) {
            true => Err(CliError::Interrupted(
                "interrupted before a set was chosen; nothing was written".to_owned(),
            )),
            false => Ok(()),
        }
    }

    fn tell(&self, doing: String) {
        tell(self.with.stage, &self.with.budget, &doing);
    }

    /// Races the entries at these places, those that may, and makes the fastest the leader.
    fn race(&mut self, places: &[usize]) -> Result<()> {
        let (budget, stage, stop) = (self.with.budget, self.with.stage, self.with.stop);
        let left = budget.left().saturating_sub(self.reserve());
        let fair = self.frame * SAMPLES * places.len() as u32;
        let options = RaceOptions {
            budget: left.min(fair.max(budget.total().mul_f64(0.1))),
            seed: self.with.seed,
            ..RaceOptions::default()
        };
        let mut raced: Vec<usize> = Vec::new();
        let mut subjects: Vec<&mut dyn Subject> = Vec::new();
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if places.contains(&place) && matches!(entry.fate, Fate::Stayed) {
                raced.push(place);
                subjects.extend(entry.built.as_mut().map(|b| b as &mut dyn Subject));
            }
        }
        if raced.len() < 2 {
            drop(subjects);
            self.drop_losers();
            return Ok(());
        }
        let doing = format!("racing {} sets", raced.len());
        let result = race(
            &mut subjects,
            &options,
            &MonotonicClock::default(),
            &mut |_| {
                tell(stage, &budget, &doing);
                match stop.load(Ordering::Relaxed) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        );
        self.check_stop()?;
        match result {
            Ok(race) => self.learn(&raced, race),
            // Whoever leads goes on leading: the last comparison decides.
            Err(e) => self.skipped.push(format!("a race was not run: {e}")),
        }
        self.drop_losers();
        Ok(())
    }

    fn learn(&mut self, raced: &[usize], race: Race) {
        let old = raced.iter().position(|&place| place == self.leader);
        let beside = old.map(|old| (self.leader, &race.runners[old].samples_ms));
        for (&place, runner) in raced.iter().zip(&race.runners) {
            let entry = &mut self.entries[place];
            if let Some((leader, its)) = beside.filter(|(leader, _)| *leader != place) {
                entry.beside = time_ratio(&runner.samples_ms, its).map(|ratio| (leader, ratio));
            }
            if let Some(why) = &runner.failure {
                entry.fate = Fate::Failed(why.clone());
            } else if let Some(by) = runner.left {
                entry.fate = Fate::Slower(by);
            }
        }
        // Who cannot be told from the leader does not replace it: the search would wander.
        let replaced = old.is_none_or(|old| {
            let (old, new) = (&race.runners[old], &race.runners[race.leader]);
            let faster = mirage_bench::race::ratio(
                &new.samples_ms,
                &old.samples_ms,
                &RaceOptions::default().resampling,
            );
            old.left.is_some() || old.failure.is_some() || faster.is_some_and(|r| r.high < 1.0)
        });
        if replaced {
            self.leader = raced[race.leader];
        }
    }

    /// Frees what will not run again: all but the leader and those with names.
    fn drop_losers(&mut self) {
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if place != self.leader && entry.names.is_empty() {
                entry.built = None;
            }
        }
    }

    /// Gives who was not in the last comparison a time, by what it took beside one that has a time.
    fn settle(&mut self) {
        // A best set replaces an earlier one, so the way back to one that was compared is as long as the
        // search's climb at most.
        for _ in 0..self.entries.len() {
            for place in 0..self.entries.len() {
                let known = self.entries[place].beside;
                let known = known.and_then(|(by, ratio)| Some(self.entries[by].median_ms? * ratio));
                let entry = &mut self.entries[place];
                entry.median_ms = entry.median_ms.or(known);
            }
        }
    }

    /// Compares the leader with every named set once more, and chooses.
    fn finish(mut self, exhausted: bool) -> Result<Found> {
        let (budget, stage, stop) = (self.with.budget, self.with.stage, self.with.stop);
        let mut compared: Vec<usize> = Vec::new();
        let mut subjects: Vec<&mut dyn Subject> = Vec::new();
        for (place, entry) in self.entries.iter_mut().enumerate() {
            let failed = matches!(entry.fate, Fate::Failed(_));
            if let Some(built) = entry.built.as_mut().filter(|_| !failed) {
                compared.push(place);
                subjects.push(built);
            }
        }
        let options = MeasureOptions {
            budget: budget.left(),
            max_rounds: 150,
            seed: self.with.seed,
            ..MeasureOptions::default()
        };
        let clock = MonotonicClock::default();
        let last = measure(&mut subjects, &options, &clock, &mut |_| {
            tell(stage, &budget, "comparing the best with the named sets");
            match stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        self.check_stop()?;
        let last = last.map_err(|_| self.no_time())?;
        for (&place, series) in compared.iter().zip(&last.series) {
            let entry = &mut self.entries[place];
            match &series.failure {
                Some(why) => entry.fate = Fate::Failed(why.clone()),
                None => entry.median_ms = median(&series.samples_ms.concat()),
            }
        }
        self.settle();
        let may = |place: &&usize| {
            !matches!(
                self.entries[**place].fate,
                Fate::Failed(_) | Fate::OutOfBound
            )
        };
        let medians = compared.iter().filter(may);
        let medians = medians.filter_map(|&p| Some((p, self.entries[p].median_ms?)));
        let best = medians.min_by(|a, b| a.1.total_cmp(&b.1));
        let (choice, _) = best.ok_or_else(|| self.no_time())?;
        self.entries[choice].fate = Fate::Stayed;
        for entry in &mut self.entries {
            entry.built = None;
        }
        Ok(Found {
            entries: self.entries,
            choice,
            last,
            compared,
            skipped: self.skipped,
            exhausted,
        })
    }
}

/// One's median time by another's, over the legs that both ran.
fn time_ratio(mine: &[f64], its: &[f64]) -> Option<f64> {
    let legs = mine.len().min(its.len());
    Some(median(&mine[..legs])? / median(&its[..legs])?)
}

fn tell(stage: &Stage, budget: &Budget, doing: &str) {
    let left = budget.total().saturating_sub(budget.elapsed());
    stage.at(
        budget.elapsed(),
        format!("{doing}, {} s left", left.as_secs()),
    );
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

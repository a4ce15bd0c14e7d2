//! The races of the search, and the final comparison.

use mirage_bench::{
    measure::{MeasureOptions, MonotonicClock, Subject, measure},
    race::{Race, RaceOptions, race},
    stats::median,
};

use super::{Fate, Running, SAMPLES, SearchResult, tell};
use crate::Result;

impl Running<'_> {
    /// Races the entries with these indices, and makes the fastest the leader.
    pub(super) fn race(&mut self, places: &[usize]) -> Result<()> {
        let (budget, observer) = (self.with.budget, self.with.observer);
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
                tell(observer, &budget, &doing);
                observer.flow()
            },
        );
        self.check_stop()?;
        match result {
            Ok(race) => self.learn(&raced, race),
            // The leader stays: the final comparison decides.
            Err(e) => self
                .skipped
                .push(format!("a race between sets was skipped: {e}")),
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
        // A set that is not significantly faster does not replace the leader, or the search would drift.
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

    /// Frees the programs that will not run again: all but the leader and named pipelines.
    fn drop_losers(&mut self) {
        for (place, entry) in self.entries.iter_mut().enumerate() {
            if place != self.leader && entry.names.is_empty() {
                entry.built = None;
            }
        }
    }

    /// Estimates the times of entries that were not in the final comparison, relative to one that was.
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

    /// Compares the leader with every named pipeline again, and chooses.
    pub(super) fn finish(mut self, exhausted: bool) -> Result<SearchResult> {
        let (budget, observer) = (self.with.budget, self.with.observer);
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
            tell(
                observer,
                &budget,
                "comparing the best set with the named pipelines",
            );
            observer.flow()
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
        Ok(SearchResult {
            entries: self.entries,
            choice,
            last,
            compared,
            skipped: self.skipped,
            exhausted,
        })
    }
}

/// Returns the ratio of two median times, over the legs that both ran.
fn time_ratio(mine: &[f64], its: &[f64]) -> Option<f64> {
    let legs = mine.len().min(its.len());
    Some(median(&mine[..legs])? / median(&its[..legs])?)
}

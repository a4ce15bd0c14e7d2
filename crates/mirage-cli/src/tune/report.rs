//! What a search found, as a table and as JSON.

use mirage_bench::{
    race::{Point, front},
    stats::{DEFAULT_MARGIN, Interval, Resampling, Verdict, median, ratio_paired},
};
use mirage_stream::Machine;
use serde::Serialize;

use super::search::{Entry, Fate, Found, NONE};
use crate::{
    output::Stream,
    table::{Align, Facts, Rows, bold, dim, good, text},
    units,
};

/// What tells it from other JSON.
const FORMAT: &str = "mirage-tune";
/// The version of the schema; grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// What the numbers belong to.
#[derive(Serialize)]
pub(super) struct Setting {
    pub(super) mirage: &'static str,
    pub(super) machine: Machine,
    pub(super) backend: &'static str,
    pub(super) engine: &'static str,
    pub(super) model: String,
    pub(super) trained: bool,
    /// The frame in the model.
    pub(super) shape: [usize; 4],
    pub(super) steps: usize,
    /// Frames of the closed loop that errors are of.
    pub(super) frames: usize,
    pub(super) seed: u64,
    /// The bound on the error, as it was asked for.
    pub(super) max_error: Option<String>,
    pub(super) budget_s: f64,
}

/// A result as JSON has it.
#[derive(Serialize)]
pub(super) struct Report {
    format: &'static str,
    schema: u32,
    #[serde(flatten)]
    pub(super) setting: Setting,
    pub(super) elapsed_s: f64,
    /// The best set.
    pub(super) choice: Choice,
    /// Every set that was tried, the fastest first, those without a time last.
    sets: Vec<Set>,
    /// Whether everything one change away from the best was tried.
    exhausted: bool,
    /// What could not be tried, what else kept the machine busy.
    pub(super) warnings: Vec<String>,
}

/// The best set.
#[derive(Serialize)]
pub(super) struct Choice {
    /// Its names, if it is a named set.
    names: Vec<&'static str>,
    /// The passes, as `--passes` takes them.
    pub(super) passes: String,
    median_ms: Option<f64>,
    psnr_db: Option<f64>,
    relative_l2: Option<f64>,
    /// Its speed-up against every set that has a name, from interleaved frames.
    against: Vec<Against>,
}

/// A speed-up.
#[derive(Serialize)]
struct Against {
    set: String,
    /// The set is the same program.
    same_program: bool,
    /// The set's median time by the choice's: above 1 the choice is faster.
    ratio: Option<f64>,
    interval: Option<Interval>,
    verdict: Option<Verdict>,
    /// The set differs by more than the bound allows, so that it was no candidate.
    out_of_bound: bool,
}

/// A set that was tried.
#[derive(Serialize)]
struct Set {
    names: Vec<&'static str>,
    passes: String,
    median_ms: Option<f64>,
    /// Without passes by this one.
    speed_up: Option<f64>,
    /// The worse of the frame and the loop's last; null where all pictures are equal.
    psnr_db: Option<f64>,
    relative_l2: Option<f64>,
    /// Whether no other set is faster with no more error.
    on_front: bool,
    /// `stayed`, `slower`, `out_of_bound` or `failed`.
    outcome: &'static str,
    reason: Option<String>,
}

impl Report {
    pub(super) fn of(
        found: &Found,
        setting: Setting,
        elapsed_s: f64,
        warnings: Vec<String>,
    ) -> Self {
        let choice = &found.entries[found.choice];
        Report {
            format: FORMAT,
            schema: SCHEMA,
            setting,
            elapsed_s,
            choice: Choice {
                names: choice.names.clone(),
                passes: choice.spec.to_string(),
                median_ms: choice.median_ms,
                psnr_db: psnr(choice),
                relative_l2: relative_l2(choice),
                against: against(found),
            },
            sets: sets(&found.entries),
            exhausted: found.exhausted,
            warnings: found.skipped.iter().cloned().chain(warnings).collect(),
        }
    }

    /// The comparison with the set without passes, in words; `None` where that is the choice.
    pub(super) fn gain(&self) -> Option<String> {
        let none = self.choice.against.iter().find(|a| a.set == NONE)?;
        (!none.same_program).then(|| none.words())
    }

    /// For a terminal.
    pub(super) fn table(&self) -> String {
        let columns = [
            ("", Align::Left),
            ("set", Align::Left),
            ("frame", Align::Right),
            ("× none", Align::Right),
            ("PSNR", Align::Right),
            ("rel. L2", Align::Right),
            ("passes", Align::Left),
        ];
        let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..6);
        for set in &self.sets {
            rows.row(set.cells(set.passes == self.choice.passes));
        }
        format!(
            "{rows}\n●  no other set is faster with no more error\n\n{}",
            self.facts()
        )
    }

    fn facts(&self) -> Facts {
        let mut facts = Facts::new(Stream::Stdout);
        let passes = match (self.choice.passes.as_str(), &self.setting.max_error) {
            ("", None) => "no passes: none makes a frame faster here",
            ("", Some(_)) => "no passes: none within the bound makes a frame faster here",
            (passes, _) => passes,
        };
        facts.styled("choice", bold(passes));
        if let Some(ms) = self.choice.median_ms {
            facts.fact("frame", units::milliseconds(ms));
        }
        for against in &self.choice.against {
            facts.fact(&format!("against {}", against.set), against.words());
        }
        let tried = units::plural(self.sets.len() as u64, "program");
        facts.fact(
            "time",
            format!(
                "{:.1} of {:.1} s for {tried}; {}",
                self.elapsed_s,
                self.setting.budget_s,
                match self.exhausted {
                    true => "no change of one pass or option makes it faster",
                    false => "not all changes of one pass were tried: a longer --budget tries more",
                }
            ),
        );
        for warning in &self.warnings {
            facts.fact("warning", warning);
        }
        facts
    }
}

impl Set {
    fn cells(&self, chosen: bool) -> Vec<comfy_table::Cell> {
        let names = match self.names.is_empty() {
            true => "·".to_owned(),
            false => self.names.join(", "),
        };
        let frame = match (self.outcome, self.median_ms) {
            ("failed", _) => "failed".to_owned(),
            (_, Some(ms)) => units::milliseconds(ms),
            (_, None) => "·".to_owned(),
        };
        let psnr = match (self.psnr_db, self.relative_l2) {
            (Some(db), _) => format!("{db:.1} dB"),
            (None, Some(_)) => "equal".to_owned(),
            (None, None) => "·".to_owned(),
        };
        let number = |n: Option<f64>, form: fn(f64) -> String| n.map_or("·".to_owned(), form);
        let passes = match (&self.reason, self.passes.is_empty()) {
            (Some(reason), _) => format!("{}: {reason}", spaced(&self.passes)),
            (None, true) => "·".to_owned(),
            (None, false) => spaced(&self.passes),
        };
        let mark = match (chosen, self.on_front) {
            (true, _) => good("▶"),
            (false, true) => text("●"),
            (false, false) => text(" "),
        };
        let name = if chosen { bold(names) } else { text(names) };
        vec![
            mark,
            name,
            text(frame),
            text(number(self.speed_up, |n| format!("{n:.2}"))),
            text(psnr),
            text(number(self.relative_l2, |n| format!("{n:.1e}"))),
            if self.outcome == "stayed" {
                text(passes)
            } else {
                dim(passes)
            },
        ]
    }
}

/// With room for lines to break.
fn spaced(passes: &str) -> String {
    passes.replace(',', ", ")
}

impl Against {
    fn words(&self) -> String {
        let what = match (self.verdict, self.ratio) {
            _ if self.same_program => return "the same program".to_owned(),
            (Some(Verdict::Faster), _) => "faster",
            (Some(Verdict::Slower), _) => "slower",
            (Some(Verdict::Same), _) => "no difference that counts",
            (None, Some(_)) => "too few frames to tell",
            (None, None) => return "not measured".to_owned(),
        };
        let number = match (self.interval, self.ratio) {
            (Some(i), _) => format!("{:.2}× ({:.2}–{:.2})", i.estimate, i.low, i.high),
            (None, Some(ratio)) => format!("{ratio:.2}×"),
            (None, None) => String::new(),
        };
        let bound = match self.out_of_bound {
            true => ", and out of the bound",
            false => "",
        };
        format!("{number} as fast: {what}{bound}")
    }
}

/// The choice against every named set, from the last comparison.
fn against(found: &Found) -> Vec<Against> {
    let samples = |place: usize| {
        let at = found.compared.iter().position(|&p| p == place)?;
        Some(&found.last.series[at].samples_ms).filter(|s| !s.is_empty())
    };
    let named = found.entries.iter().enumerate();
    let named = named.filter(|(_, entry)| !entry.names.is_empty());
    named
        .flat_map(|(place, entry)| entry.names.iter().map(move |name| (place, entry, name)))
        .map(|(place, entry, name)| {
            let pair = samples(place).zip(samples(found.choice));
            let pair = pair.filter(|_| place != found.choice);
            let ratio =
                pair.and_then(|(its, mine)| Some(median(&its.concat())? / median(&mine.concat())?));
            let interval =
                pair.and_then(|(its, mine)| ratio_paired(its, mine, &Resampling::default()).ok());
            Against {
                set: (*name).to_owned(),
                same_program: place == found.choice,
                ratio,
                interval,
                verdict: interval.map(|i| Verdict::of_speed_up(&i, DEFAULT_MARGIN)),
                out_of_bound: entry.fate == Fate::OutOfBound,
            }
        })
        .collect()
}

fn sets(entries: &[Entry]) -> Vec<Set> {
    let point = |e: &Entry| Point {
        time: e.median_ms.unwrap_or(f64::NAN),
        error: e.quality().map_or(f64::NAN, |q| q.relative_l2),
    };
    let points: Vec<Point> = entries.iter().map(point).collect();
    let front = front(&points);
    let none_ms = entries.first().and_then(|e| e.median_ms);
    let set = |(place, entry): (usize, &Entry)| Set {
        names: entry.names.clone(),
        passes: entry.spec.to_string(),
        median_ms: entry.median_ms,
        speed_up: none_ms.zip(entry.median_ms).map(|(none, mine)| none / mine),
        psnr_db: psnr(entry),
        relative_l2: relative_l2(entry),
        on_front: front.contains(&place),
        outcome: match &entry.fate {
            Fate::Stayed => "stayed",
            Fate::Slower(_) => "slower",
            Fate::OutOfBound => "out_of_bound",
            Fate::Failed(_) => "failed",
        },
        reason: match &entry.fate {
            Fate::Failed(why) => Some(why.clone()),
            Fate::OutOfBound => Some("differs by more than the bound allows".to_owned()),
            Fate::Stayed | Fate::Slower(_) => None,
        },
    };
    let mut sets: Vec<Set> = entries.iter().enumerate().map(set).collect();
    let time = |s: &Set| s.median_ms.unwrap_or(f64::INFINITY);
    sets.sort_by(|a, b| time(a).total_cmp(&time(b)));
    sets
}

fn psnr(entry: &Entry) -> Option<f64> {
    entry
        .quality()
        .map(|q| q.psnr_db)
        .filter(|db| db.is_finite())
}

fn relative_l2(entry: &Entry) -> Option<f64> {
    entry
        .quality()
        .map(|q| q.relative_l2)
        .filter(|r| r.is_finite())
}

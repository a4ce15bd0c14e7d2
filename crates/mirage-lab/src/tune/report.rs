//! The report of a search.

use mirage_bench::{
    race::{Point, front},
    stats::{DEFAULT_MARGIN, Interval, Resampling, Verdict, median, ratio_paired},
};
use mirage_stream::Machine;
use serde::Serialize;

use super::search::{Entry, Fate, NONE, SearchResult};

/// Identifies the report among other JSON.
const FORMAT: &str = "mirage-tune";
/// The version of the schema; incremented when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// What the numbers belong to.
#[derive(Serialize)]
pub struct Setting {
    /// The version of Mirage.
    pub mirage: &'static str,
    /// Where it ran.
    pub machine: Machine,
    /// The backend.
    pub backend: &'static str,
    /// The engine behind the backend.
    pub engine: &'static str,
    /// The model.
    pub model: String,
    /// Whether the weights came from a file.
    pub trained: bool,
    /// The frame in the model.
    pub shape: [usize; 4],
    /// Denoising steps a frame.
    pub steps: usize,
    /// Frames of the closed loop that errors are of.
    pub frames: usize,
    /// Of untrained weights, noise and the scene.
    pub seed: u64,
    /// The bound on the error, as it was asked for.
    pub max_error: Option<String>,
    /// The time given, s.
    pub budget_s: f64,
}

/// The result, in JSON.
#[derive(Serialize)]
pub struct Report {
    /// What tells it from other JSON.
    pub format: &'static str,
    /// The version of the schema.
    pub schema: u32,
    /// What the numbers belong to.
    #[serde(flatten)]
    pub setting: Setting,
    /// The time taken, s.
    pub elapsed_s: f64,
    /// The best set.
    pub choice: Choice,
    /// Every set that was tried, the fastest first, those without a time last.
    pub sets: Vec<Set>,
    /// Whether everything one change away from the best was tried.
    pub exhausted: bool,
    /// What could not be tried, what else kept the machine busy.
    pub warnings: Vec<String>,
}

/// The best set.
#[derive(Serialize)]
pub struct Choice {
    /// Its names, if it is a named set.
    pub names: Vec<&'static str>,
    /// The passes, as `--passes` takes them.
    pub passes: String,
    /// The median time of a frame, ms.
    pub median_ms: Option<f64>,
    /// Peak signal-to-noise ratio, dB; the worse of the frame and the loop; none where all pictures are equal.
    pub psnr_db: Option<f64>,
    /// The differences' norm by the reference's.
    pub relative_l2: Option<f64>,
    /// Its speed-up against every set that has a name, from interleaved frames.
    pub against: Vec<Against>,
}

/// A speed-up.
#[derive(Serialize)]
pub struct Against {
    /// The set's name.
    pub set: String,
    /// The set is the same program.
    pub same_program: bool,
    /// The set's median time by the choice's: above 1 the choice is faster.
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio.
    pub interval: Option<Interval>,
    /// What the interval says.
    pub verdict: Option<Verdict>,
    /// The set differs by more than the bound allows, so that it was no candidate.
    pub out_of_bound: bool,
}

/// A set that was tried.
#[derive(Serialize)]
pub struct Set {
    /// Its names, if it is a named set.
    pub names: Vec<&'static str>,
    /// The passes, as `--passes` takes them.
    pub passes: String,
    /// The median time of a frame, ms.
    pub median_ms: Option<f64>,
    /// Without passes by this one.
    pub speed_up: Option<f64>,
    /// The worse of the frame and the loop's last; null where all pictures are equal.
    pub psnr_db: Option<f64>,
    /// The differences' norm by the reference's.
    pub relative_l2: Option<f64>,
    /// Whether no other set is faster with no more error.
    pub on_front: bool,
    /// `stayed`, `slower`, `out_of_bound` or `failed`.
    pub outcome: &'static str,
    /// Why.
    pub reason: Option<String>,
}

impl Report {
    pub(super) fn of(
        found: &SearchResult,
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
    pub fn gain(&self) -> Option<String> {
        let none = self.choice.against.iter().find(|a| a.set == NONE)?;
        (!none.same_program).then(|| none.words())
    }
}

impl Against {
    /// In words, such as `1.20× (1.15–1.24) as fast: faster`.
    pub fn words(&self) -> String {
        let what = match (self.verdict, self.ratio) {
            _ if self.same_program => return "the same program".to_owned(),
            (Some(Verdict::Faster), _) => "faster",
            (Some(Verdict::Slower), _) => "slower",
            (Some(Verdict::Same), _) => "no significant difference",
            (Some(Verdict::Undecided), _) => "undecided",
            (None, Some(_)) => "too few frames to decide",
            (None, None) => return "not measured".to_owned(),
        };
        let number = match (self.interval, self.ratio) {
            (Some(i), _) => format!("{:.2}× ({:.2}–{:.2})", i.estimate, i.low, i.high),
            (None, Some(ratio)) => format!("{ratio:.2}×"),
            (None, None) => String::new(),
        };
        let bound = match self.out_of_bound {
            true => ", outside the error bound",
            false => "",
        };
        format!("{number} as fast: {what}{bound}")
    }
}

/// The choice against every named set, from the last comparison.
fn against(found: &SearchResult) -> Vec<Against> {
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
            Fate::OutOfBound => Some("exceeds the error bound".to_owned()),
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

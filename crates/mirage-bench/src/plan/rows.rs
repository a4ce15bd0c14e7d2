//! The rows of a ledger.

use serde::{Deserialize, Serialize};

use super::{PassSet, PlanOptions, Planted, Rules, Subjects};

/// The most sets that are asked about when a pass needs others, or others need it. Requirements are
/// few and small sets come first, so this is not met in practice.
const SEARCH: usize = 1 << 14;

/// What a row shows. A pass is its place in the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// Without passes.
    None,
    /// Without passes, measured once more.
    Control,
    /// Without passes and made slower on purpose: a place in [`Plan::planted`](super::Plan::planted).
    Planted(usize),
    /// One pass, on top of what it needs.
    Alone(usize),
    /// A step of the cumulative ladder: the pipeline up to this pass.
    UpTo(usize),
    /// All but this pass and those that need it.
    Without(usize),
    /// All passes.
    All,
    /// A set of the user's own: a place in [`Plan::own`](super::Plan::own).
    Own(usize),
}

/// A row to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowPlan {
    /// What it shows.
    pub kind: RowKind,
    /// The place of its set in [`Plan::subjects`](super::Plan::subjects), or why it cannot run.
    pub subject: Result<usize, String>,
    /// What it is compared with beside `none`, as a place in the subjects: of a pass alone what it is
    /// on top of, of a step the last step that can run, of all but one pass all of them, of all the
    /// last step, of a set of the user's own the one before it. `None` for the first row and where the row cannot run.
    pub against: Option<usize>,
    /// Passes that are here because the row's pass needs them; in [`RowKind::Without`], those left
    /// out because they need it.
    pub along: PassSet,
}

pub(super) fn rows(
    passes: usize,
    options: &PlanOptions,
    rules: &mut Rules<impl Fn(&[usize]) -> Result<(), String>>,
    subjects: &mut Subjects,
) -> (Vec<RowPlan>, Vec<Planted>) {
    let mut rows = Builder {
        rules,
        subjects,
        rows: Vec::new(),
    };
    rows.push(RowKind::None, Ok(PassSet::NONE), None, PassSet::NONE);
    if options.control {
        rows.none_again(RowKind::Control);
    }
    let plant = |(place, &percent): (usize, &f64)| Planted {
        subject: rows.none_again(RowKind::Planted(place)),
        percent,
    };
    let planted = options.planted.iter().enumerate().map(plant).collect();
    for pass in 0..passes {
        rows.alone(pass, PassSet::first(passes));
    }
    rows.ladder(passes);
    for pass in 0..passes {
        rows.without(pass, PassSet::first(passes));
    }
    if passes > 0 {
        rows.all(passes);
    }
    let mut before = rows.rows.last().and_then(|row| row.subject.clone().ok());
    for (place, own) in options.own.iter().enumerate() {
        before = rows.own(place, own.passes, before);
    }
    (rows.rows, planted)
}

struct Builder<'a, F> {
    rules: &'a mut Rules<F>,
    subjects: &'a mut Subjects,
    rows: Vec<RowPlan>,
}

impl<F: Fn(&[usize]) -> Result<(), String>> Builder<'_, F> {
    fn push(
        &mut self,
        kind: RowKind,
        set: Result<PassSet, String>,
        against: Option<PassSet>,
        along: PassSet,
    ) {
        let subject = set.map(|set| self.subjects.place(set));
        let against = against.map(|set| self.subjects.place(set));
        self.rows.push(RowPlan {
            kind,
            subject,
            against,
            along,
        });
    }

    /// The baseline as a subject of its own.
    fn none_again(&mut self, kind: RowKind) -> usize {
        let subject = self.subjects.again(PassSet::NONE);
        self.rows.push(RowPlan {
            kind,
            subject: Ok(subject),
            against: Some(0),
            along: PassSet::NONE,
        });
        subject
    }

    /// A set of the user's own, compared with the subject before it.
    fn own(&mut self, place: usize, set: PassSet, before: Option<usize>) -> Option<usize> {
        let subject = match self.rules.check(set) {
            Ok(()) => Ok(self.subjects.again(set)),
            Err(reason) => Err(reason),
        };
        let its = subject.as_ref().ok().copied();
        self.rows.push(RowPlan {
            kind: RowKind::Own(place),
            against: its.and(before),
            subject,
            along: PassSet::NONE,
        });
        its.or(before)
    }

    /// The pass on the smallest set that can run both with and without it.
    fn alone(&mut self, pass: usize, all: PassSet) {
        let base = all
            .without(pass)
            .subsets(SEARCH)
            .find(|&base| self.rules.allows(base) && self.rules.allows(base.with(pass)));
        match base {
            Some(base) => {
                let set = Ok(base.with(pass));
                self.push(RowKind::Alone(pass), set, Some(base), base);
            }
            None => {
                let reason = self.rules.check(PassSet::NONE.with(pass)).err();
                let reason = reason.unwrap_or_default();
                self.push(RowKind::Alone(pass), Err(reason), None, PassSet::NONE);
            }
        }
    }

    fn ladder(&mut self, passes: usize) {
        let mut before = PassSet::NONE;
        for pass in 0..passes {
            let set = PassSet::first(pass + 1);
            let found = self.rules.check(set).map(|()| set);
            let legal = found.is_ok();
            self.push(
                RowKind::UpTo(pass),
                found,
                legal.then_some(before),
                PassSet::NONE,
            );
            if legal {
                before = set;
            }
        }
    }

    /// All but the pass and the fewest others.
    fn without(&mut self, pass: usize, all: PassSet) {
        let rest = all.without(pass);
        let along = rest
            .subsets(SEARCH)
            .find(|&along| self.rules.allows(rest.minus(along)));
        match along {
            Some(along) => {
                let set = Ok(rest.minus(along));
                self.push(RowKind::Without(pass), set, Some(all), along);
            }
            None => {
                let reason = self.rules.check(rest).err().unwrap_or_default();
                self.push(RowKind::Without(pass), Err(reason), None, PassSet::NONE);
            }
        }
    }

    /// All, against the last step before it.
    fn all(&mut self, passes: usize) {
        let before = (0..passes)
            .rev()
            .map(PassSet::first)
            .find(|&set| self.rules.allows(set));
        let all = Ok(PassSet::first(passes));
        self.push(RowKind::All, all, before, PassSet::NONE);
    }
}

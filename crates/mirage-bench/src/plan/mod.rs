//! The sets of passes that a ledger measures, and its rows.
//!
//! Rows name sets, and equal sets are one [subject](Plan::subjects): measured once, shared by rows.

mod rows;
mod set;
mod shapley;

use std::collections::HashMap;

use thiserror::Error;

pub use rows::{RowKind, RowPlan};
pub use set::{MAX_PASSES, PassSet};
pub use shapley::{MAX_SHAPLEY, ShapleyPlan};

/// The rows of a plan in addition to those of its passes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanOptions {
    /// Each pass's Shapley share of the whole gain.
    pub shapley: bool,
    /// Measure the baseline a second time, as its own row. Its difference from the baseline is noise.
    pub control: bool,
    /// Percentages: for each, a row of the baseline that is slowed down by it, to check the method.
    pub planted: Vec<f64>,
    /// Additional sets, one row each. Each is measured separately even if another row has the same set, so a set
    /// given twice shows the noise.
    pub own: Vec<OwnSet>,
}

/// An additional set of passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnSet {
    /// The row's label.
    pub label: String,
    /// Its passes. Passes that are not in the plan are numbered from the plan's number of passes.
    pub passes: PassSet,
}

/// A subject that the measuring side must slow down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planted {
    /// Its place in [`Plan::subjects`].
    pub subject: usize,
    /// By how much, in percent of its time.
    pub percent: f64,
}

/// What is measured and how it is shown.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The sets to measure. Each is different, but for the control and what is planted, which are the
    /// empty set again, and the user's own sets.
    pub subjects: Vec<PassSet>,
    /// The rows, in the order in which they are shown.
    pub rows: Vec<RowPlan>,
    /// What is planted, as [`RowKind::Planted`] numbers it.
    pub planted: Vec<Planted>,
    /// The user's own sets, as [`RowKind::Own`] numbers them.
    pub own: Vec<OwnSet>,
    /// What makes shares of the subjects' gains, if asked for; or why there are none.
    pub shapley: Option<Result<ShapleyPlan, String>>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// More passes than a set can hold.
    #[error("too many passes: {found}, but a ledger can have at most {MAX_PASSES}")]
    TooManyPasses {
        /// How many.
        found: usize,
    },
    /// The set to be explained cannot run.
    #[error("the passes cannot run together: {reason}")]
    AllIsIllegal {
        /// What `legal` says.
        reason: String,
    },
    /// Nothing to compare with.
    #[error("the model cannot run without passes: {reason}")]
    NoneIsIllegal {
        /// What `legal` says.
        reason: String,
    },
}

/// The plan for the first `passes` passes, which are in pipeline order. `legal` tells whether a set, given in pipeline
/// order, can run, and if not, why; it is asked once a set.
pub fn plan(
    passes: usize,
    options: PlanOptions,
    legal: impl Fn(&[usize]) -> Result<(), String>,
) -> Result<Plan, PlanError> {
    if passes > MAX_PASSES {
        return Err(PlanError::TooManyPasses { found: passes });
    }
    let mut rules = Rules::new(legal);
    let all = PassSet::first(passes);
    rules
        .check(PassSet::NONE)
        .map_err(|reason| PlanError::NoneIsIllegal { reason })?;
    rules
        .check(all)
        .map_err(|reason| PlanError::AllIsIllegal { reason })?;
    let mut subjects = Subjects::default();
    let (rows, planted) = rows::rows(passes, &options, &mut rules, &mut subjects);
    let shapley = options
        .shapley
        .then(|| shapley::plan(all, &mut rules, &mut subjects));
    Ok(Plan {
        subjects: subjects.sets,
        rows,
        planted,
        own: options.own,
        shapley,
    })
}

/// What may run, asked once a set.
struct Rules<F> {
    legal: F,
    known: HashMap<PassSet, Result<(), String>>,
}

impl<F: Fn(&[usize]) -> Result<(), String>> Rules<F> {
    fn new(legal: F) -> Self {
        Rules {
            legal,
            known: HashMap::new(),
        }
    }

    fn check(&mut self, set: PassSet) -> Result<(), String> {
        let legal = &self.legal;
        let known = self.known.entry(set);
        known.or_insert_with(|| legal(&set.indices())).clone()
    }

    fn allows(&mut self, set: PassSet) -> bool {
        self.check(set).is_ok()
    }
}

/// The sets to measure, each once.
#[derive(Default)]
struct Subjects {
    sets: Vec<PassSet>,
}

impl Subjects {
    /// Returns the index of a set, which is added if it is new.
    fn place(&mut self, set: PassSet) -> usize {
        let found = self.sets.iter().position(|&s| s == set);
        found.unwrap_or_else(|| self.again(set))
    }

    /// Adds a set, even if it exists already, and returns its index.
    fn again(&mut self, set: PassSet) -> usize {
        self.sets.push(set);
        self.sets.len() - 1
    }
}

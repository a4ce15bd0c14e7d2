//! Sets that were tried, and what became of them.

use mirage_bench::{ledger::Errors, stats::Interval};
use mirage_ir::Graph;
use mirage_pass::PipelineSpec;

use super::super::bound::Quality;
use crate::subjects::Built;

/// A set that was tried.
pub(in crate::tune) struct Entry {
    /// The names that it has; sets that become the same program are one entry.
    pub(in crate::tune) names: Vec<&'static str>,
    pub(in crate::tune) spec: PipelineSpec,
    pub(super) graph: Graph,
    /// `None` once it is out of the race.
    pub(super) built: Option<Built>,
    pub(in crate::tune) errors: Option<Errors>,
    /// What a frame takes, ms: the median of the last comparison, or for who was not in it, what it took
    /// beside the best in its race.
    pub(in crate::tune) median_ms: Option<f64>,
    /// Its time by that of the entry at this place, in its race: the machine's speed in another race is
    /// another.
    pub(super) beside: Option<(usize, f64)>,
    pub(in crate::tune) fate: Fate,
}

impl Entry {
    /// Its names, or else its passes.
    pub(in crate::tune) fn title(&self) -> String {
        match self.names.is_empty() {
            true => self.spec.to_string(),
            false => self.names.join(", "),
        }
    }

    pub(in crate::tune) fn quality(&self) -> Option<Quality> {
        self.errors.as_ref().map(Quality::of)
    }
}

/// What became of a set.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tune) enum Fate {
    /// It stayed in every race that it was in.
    Stayed,
    /// It was wholly slower than the best so far: its time by that one's.
    Slower(Interval),
    /// Its pictures differ too much.
    OutOfBound,
    /// It does not run.
    Failed(String),
}

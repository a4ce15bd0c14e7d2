//! Sets that were tried, and their outcome.

use mirage_bench::{ledger::Errors, stats::Interval};
use mirage_ir::Graph;
use mirage_pass::PipelineSpec;

use super::super::bound::Quality;
use crate::subjects::BuiltSet;

/// A set that was tried.
pub(in crate::tune) struct Entry {
    /// Its names; sets that compile to the same program share an entry.
    pub(in crate::tune) names: Vec<&'static str>,
    pub(in crate::tune) spec: PipelineSpec,
    pub(super) graph: Graph,
    /// `None` once it is dropped from the race.
    pub(super) built: Option<BuiltSet>,
    pub(in crate::tune) errors: Option<Errors>,
    /// Time of a frame, ms: the median of the final comparison, otherwise estimated from its race.
    pub(in crate::tune) median_ms: Option<f64>,
    /// The index of another entry, and the ratio of times to it in the same race.
    pub(super) beside: Option<(usize, f64)>,
    pub(in crate::tune) fate: Fate,
}

impl Entry {
    /// Returns its names, otherwise its passes.
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

/// The outcome of a set.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::tune) enum Fate {
    /// It was not dropped.
    Stayed,
    /// Its whole interval was slower than the best set; the ratio of times.
    Slower(Interval),
    /// Its error exceeds the bound.
    OutOfBound,
    /// It does not run, with the message.
    Failed(String),
}

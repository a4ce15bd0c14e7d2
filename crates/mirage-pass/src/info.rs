//! What a pass says about itself, as data: help, documentation, the compatibility table and the
//! planner all read it here.

use std::fmt;

use mirage_ir::{
    DType,
    target::{Capabilities, Subject, Support},
};
use serde::Serialize;

use crate::{Numerics, OptionSpec};

/// The tag of passes that clean up after others: they change no meaning, and the planner runs those
/// of them that are [`PassInfo::always`] between phases.
pub const CLEANUP: &str = "cleanup";

/// When in a pipeline a pass runs. Phases run in the order of these variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Brings what capture recorded into the form that the other passes expect. Always runs.
    Legalize,
    /// Less of the same computation: folds, eliminations, merged and raised operations.
    Simplify,
    /// Changes of dtype.
    Precision,
    /// Changes of memory order, padding.
    Layout,
    /// Forms regions, once types and orders are final.
    Fuse,
    /// Says how the graph is to be run.
    Runtime,
}

impl Phase {
    /// Every phase, in the order in which they run.
    pub const ALL: [Phase; 6] = [
        Phase::Legalize,
        Phase::Simplify,
        Phase::Precision,
        Phase::Layout,
        Phase::Fuse,
        Phase::Runtime,
    ];

    /// The name used in messages and reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Legalize => "legalize",
            Phase::Simplify => "simplify",
            Phase::Precision => "precision",
            Phase::Layout => "layout",
            Phase::Fuse => "fuse",
            Phase::Runtime => "runtime",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A capability of the backend that a pass makes use of. Data only: a pass runs without it, and
/// decides node by node from the capabilities in its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What the backend should have; in reports the field is `op`.
    #[serde(rename = "op")]
    pub subject: Subject,
    /// The dtype in which it is wanted.
    pub dtype: DType,
}

impl Need {
    /// A need of this subject in this dtype.
    pub const fn new(subject: Subject, dtype: DType) -> Self {
        Need { subject, dtype }
    }

    /// How well the capabilities support it; `None` if not at all.
    pub fn support(&self, capabilities: &Capabilities) -> Option<Support> {
        let line = capabilities.find(&self.subject, self.dtype);
        line.map(|c| c.support)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Attribute(name) => write!(f, "a backend that heeds {name}"),
            subject => write!(f, "{subject} in {}", self.dtype),
        }
    }
}

/// A pass's metadata.
///
/// ```
/// use mirage_pass::{Numerics, PassInfo, Phase};
///
/// static INFO: PassInfo = PassInfo {
///     tags: &["attention"],
///     after: &["canonicalize"],
///     ..PassInfo::new("sdpa", 1, "softmax(q·kᵀ)·v as one attention", Phase::Simplify, Numerics::Reassociates)
/// };
/// assert!(INFO.answers_to("attention"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassInfo {
    /// The name that a pipeline calls it by: lower case letters, digits and `_`, a letter first.
    pub name: &'static str,
    /// Grows when the pass does something else to the same graph.
    pub version: u32,
    /// One line on what it does.
    pub summary: &'static str,
    /// When it runs.
    pub phase: Phase,
    /// What it may change in the numbers.
    pub numerics: Numerics,
    /// Groups that it belongs to. A tag stands for all its passes wherever a name may stand.
    pub tags: &'static [&'static str],
    /// Names or tags: a pipeline with this pass must have one of each, before it.
    pub requires: &'static [&'static str],
    /// Names or tags that must not be in the same pipeline. Said on one side, it holds for both.
    pub conflicts: &'static [&'static str],
    /// Names or tags that run before this pass, where they are in the pipeline.
    pub after: &'static [&'static str],
    /// Names or tags that run after this pass, where they are in the pipeline.
    pub before: &'static [&'static str],
    /// Capabilities of the backend that it makes use of.
    pub needs: &'static [Need],
    /// Its options.
    pub options: &'static [OptionSpec],
    /// Options and values beside the defaults that are worth measuring: what is best depends on the
    /// machine.
    pub worth_trying: &'static [(&'static str, &'static str)],
    /// Whether it may change names or types of inputs, outputs, states, or add parameters.
    pub changes_interface: bool,
    /// Whether it runs without being asked for: passes of [`Phase::Legalize`] and of tag
    /// [`CLEANUP`].
    pub always: bool,
}

impl PassInfo {
    /// Metadata with empty lists and no flags, for struct update.
    pub const fn new(
        name: &'static str,
        version: u32,
        summary: &'static str,
        phase: Phase,
        numerics: Numerics,
    ) -> Self {
        PassInfo {
            name,
            version,
            summary,
            phase,
            numerics,
            tags: &[],
            requires: &[],
            conflicts: &[],
            after: &[],
            before: &[],
            needs: &[],
            options: &[],
            worth_trying: &[],
            changes_interface: false,
            always: false,
        }
    }

    /// Whether `name` is this pass's name or one of its tags.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.tags.contains(&name)
    }

    /// Whether the pass is of tag [`CLEANUP`].
    pub fn is_cleanup(&self) -> bool {
        self.tags.contains(&CLEANUP)
    }

    /// The option of this name.
    pub fn option(&self, name: &str) -> Option<&'static OptionSpec> {
        self.options.iter().find(|o| o.name == name)
    }
}

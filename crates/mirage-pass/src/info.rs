//! Metadata of passes, as data: read by the planner, help, documentation and reports.

use std::fmt;

use mirage_ir::{
    DType,
    target::{Capabilities, Subject, Support},
};
use serde::Serialize;

use crate::{Numerics, OptionSpec};

/// The tag of passes that clean up after others. The planner runs those of them that are
/// [`PassInfo::always`] between phases.
pub const CLEANUP: &str = "cleanup";

/// The phase in which a pass runs. Phases run in the order of these variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Rewrites a captured graph into the form that the other passes expect. Always runs.
    Legalize,
    /// Reduces computation: folding, elimination, merging of operations.
    Simplify,
    /// Changes dtypes.
    Precision,
    /// Changes memory orders and padding.
    Layout,
    /// Forms regions, after dtypes and memory orders are final.
    Fuse,
    /// Sets how the graph is to be run.
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

    /// Returns the name used in messages and reports.
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

/// A capability of the backend that a pass uses. For information only: the pass also runs without it, and
/// decides at each node by the capabilities in its context.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The operation, region kind or attribute. In reports the field is named `op`.
    #[serde(rename = "op")]
    pub subject: Subject,
    /// The dtype.
    pub dtype: DType,
}

impl Need {
    /// Returns a need for this subject in this dtype.
    pub const fn new(subject: Subject, dtype: DType) -> Self {
        Need { subject, dtype }
    }

    /// Returns how well the backend supports it; `None` if not at all.
    pub fn support(&self, capabilities: &Capabilities) -> Option<Support> {
        let line = capabilities.find(&self.subject, self.dtype);
        line.map(|c| c.support)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Attribute(name) => write!(f, "a backend that supports {name}"),
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
///     ..PassInfo::new("sdpa", 1, "replaces softmax(q·kᵀ)·v by one attention", Phase::Simplify, Numerics::Reassociates)
/// };
/// assert!(INFO.answers_to("attention"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassInfo {
    /// The name in pipelines: lower-case letters, digits and `_`, starting with a letter.
    pub name: &'static str,
    /// The version. Increase it when the result for the same graph changes.
    pub version: u32,
    /// One line on what the pass does, starting with a verb.
    pub summary: &'static str,
    /// The phase in which it runs.
    pub phase: Phase,
    /// How much it may change numerical results.
    pub numerics: Numerics,
    /// Groups that the pass belongs to. In rules, a tag stands for all passes that have it.
    pub tags: &'static [&'static str],
    /// Names or tags of which the pipeline must contain at least one pass each, before this one.
    pub requires: &'static [&'static str],
    /// Names or tags that must not be in the same pipeline. It is enough if one of two passes states it.
    pub conflicts: &'static [&'static str],
    /// Names or tags that run before this pass, if they are in the pipeline.
    pub after: &'static [&'static str],
    /// Names or tags that run after this pass, if they are in the pipeline.
    pub before: &'static [&'static str],
    /// Capabilities of the backend that the pass uses.
    pub needs: &'static [Need],
    /// The options.
    pub options: &'static [OptionSpec],
    /// Option values beside the defaults that are worth measuring, because the best depends on the machine.
    pub worth_trying: &'static [(&'static str, &'static str)],
    /// Whether the pass may change names or types of inputs, outputs and states, or add parameters.
    pub changes_interface: bool,
    /// Whether the pass runs without being requested. Only for passes of [`Phase::Legalize`] and of the tag
    /// [`CLEANUP`].
    pub always: bool,
}

impl PassInfo {
    /// Returns metadata with empty lists and no flags, for struct update syntax.
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

    /// Whether the pass has the tag [`CLEANUP`].
    pub fn is_cleanup(&self) -> bool {
        self.tags.contains(&CLEANUP)
    }

    /// Returns the option of this name.
    pub fn option(&self, name: &str) -> Option<&'static OptionSpec> {
        self.options.iter().find(|o| o.name == name)
    }
}

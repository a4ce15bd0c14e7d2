//! Errors of planning.

use crate::{OptionError, Phase, Place};

/// The metadata field that a rule comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// [`PassInfo::after`](crate::PassInfo::after).
    After,
    /// [`PassInfo::before`](crate::PassInfo::before).
    Before,
    /// [`PassInfo::requires`](crate::PassInfo::requires).
    Requires,
    /// [`PassInfo::conflicts`](crate::PassInfo::conflicts).
    Conflicts,
}

/// A rule of a pass's metadata, and the other pass in the pipeline that it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The pass that states the rule.
    pub by: &'static str,
    /// The kind of rule.
    pub rule: Rule,
    /// The name or tag in the rule.
    pub about: &'static str,
    /// The pass that has this name or tag.
    pub other: &'static str,
}

impl std::fmt::Display for Stated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stated {
            by, about, other, ..
        } = self;
        match self.rule {
            Rule::After => write!(f, "`{by}` runs after `{about}`")?,
            Rule::Before => write!(f, "`{by}` runs before `{about}`")?,
            Rule::Requires => write!(f, "`{by}` requires `{about}` before it")?,
            Rule::Conflicts => write!(f, "`{by}` conflicts with `{about}`")?,
        }
        if about == other {
            Ok(())
        } else {
            write!(f, " (`{other}`)")
        }
    }
}

/// Why a pipeline cannot be planned. The message is one line: what, where, which rule, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No pass has this name.
    #[error("unknown pass `{}`{place}: {advice}", name.escape_debug())]
    UnknownPass {
        /// The name.
        name: String,
        /// The position in the pipeline.
        place: Place,
        /// A suggestion: the most similar name, or all names.
        advice: String,
    },
    /// An option is invalid.
    #[error("pass `{pass}`{place}: {problem}")]
    Option {
        /// The pass.
        pass: &'static str,
        /// The position of the option.
        place: Place,
        /// What is wrong.
        problem: OptionError,
    },
    /// A pass is given twice.
    #[error("pass `{pass}` is given twice{place}: remove one of them")]
    Duplicate {
        /// The pass.
        pass: &'static str,
        /// The position of the second one.
        place: Place,
    },
    /// Two passes conflict.
    #[error("{0}: remove one of them")]
    Conflict(Stated),
    /// A required pass is missing.
    #[error("`{pass}` requires `{requires}`, which is not in the pipeline: {remedy}")]
    Unmet {
        /// The pass.
        pass: &'static str,
        /// The name or tag that it requires.
        requires: &'static str,
        /// Which pass to add, or that there is none.
        remedy: String,
    },
    /// Rules contradict each other in a cycle.
    #[error("no order satisfies all of these rules; remove one of the passes: {}", list(.0))]
    Cycle(Vec<Stated>),
    /// A rule contradicts the order of phases.
    #[error(
        "{stated}, but phase {second_phase} of `{second}` comes before phase {first_phase} of \
         `{first}`: leave one of them out"
    )]
    Phases {
        /// The kind of rule.
        stated: Stated,
        /// The pass that the rule puts first.
        first: &'static str,
        /// Its phase.
        first_phase: Phase,
        /// The pass that the rule puts second.
        second: &'static str,
        /// Its phase.
        second_phase: Phase,
    },
    /// The order, as given or by phases and cleanup passes, breaks a rule.
    #[error("{stated}, but `{first}` comes first: move or remove one of them")]
    Order {
        /// The kind of rule.
        stated: Stated,
        /// The pass that comes first and must not.
        first: &'static str,
    },
    /// A given order breaks the order of phases.
    #[error(
        "`{first}` ({phase}) stands before `{second}` ({other}), but phase {other} comes before \
         phase {phase}: move one of them"
    )]
    PhaseOrder {
        /// The pass that comes first.
        first: &'static str,
        /// Its phase.
        phase: Phase,
        /// The pass that comes second.
        second: &'static str,
        /// Its phase, which runs earlier.
        other: Phase,
    },
}

fn list(rules: &[Stated]) -> String {
    rules
        .iter()
        .map(Stated::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

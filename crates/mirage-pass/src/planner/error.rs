//! Why there is no plan.

use crate::{OptionError, Phase, Place};

/// Which side of a rule's two passes says so, and how.
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

/// A rule that a pass's metadata states, with the other pass that it meets in a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The pass that states the rule.
    pub by: &'static str,
    /// The rule.
    pub rule: Rule,
    /// The name or tag that the rule is about.
    pub about: &'static str,
    /// The pass that answers to it.
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
            write!(f, ", which `{other}` is")
        }
    }
}

/// Why a pipeline cannot be planned. One line: what, where, which rule, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No pass has this name.
    #[error("unknown pass `{}`{place}: {advice}", name.escape_debug())]
    UnknownPass {
        /// The name.
        name: String,
        /// Where it stands.
        place: Place,
        /// The nearest right name, or all.
        advice: String,
    },
    /// An option does not fit its pass.
    #[error("pass `{pass}`{place}: {problem}")]
    Option {
        /// The pass.
        pass: &'static str,
        /// Where the option stands.
        place: Place,
        /// What is wrong.
        problem: OptionError,
    },
    /// A pass is there twice.
    #[error("pass `{pass}` is given twice{place}: leave one of them out")]
    Duplicate {
        /// The pass.
        pass: &'static str,
        /// Where it stands the second time.
        place: Place,
    },
    /// Two passes exclude each other.
    #[error("{0}: leave one of them out")]
    Conflict(Stated),
    /// A pass lacks one that it requires.
    #[error("`{pass}` requires `{requires}`, which is not in the pipeline: {remedy}")]
    Unmet {
        /// The pass.
        pass: &'static str,
        /// The name or tag that it requires.
        requires: &'static str,
        /// Which passes to add, or that there is none.
        remedy: String,
    },
    /// Rules contradict each other. Each rule's passes meet the next rule's, the last the first's.
    #[error("no order satisfies all of these, leave one of the passes out: {}", list(.0))]
    Cycle(Vec<Stated>),
    /// A rule contradicts the order of phases.
    #[error(
        "{stated}, but phase {second_phase} of `{second}` comes before phase {first_phase} of \
         `{first}`: leave one of them out"
    )]
    Phases {
        /// The rule.
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
    /// A rule does not hold for the order: the given one, or that of cleanup passes and phases.
    #[error("{stated}, but `{first}` comes first: move one of them or leave it out")]
    Order {
        /// The rule.
        stated: Stated,
        /// The pass that stands first and must not.
        first: &'static str,
    },
    /// With the order kept: the order of phases does not hold.
    #[error(
        "`{first}` ({phase}) stands before `{second}` ({other}), but phase {other} comes before \
         phase {phase}: move one of them"
    )]
    PhaseOrder {
        /// The pass that stands first.
        first: &'static str,
        /// Its phase.
        phase: Phase,
        /// The pass that stands second.
        second: &'static str,
        /// Its phase, the earlier one.
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

//! The rules between passes, for sets and for sequences.

use super::error::{PlanError, Rule, Stated};
use crate::{PassInfo, Registry, plan::PlannedPass};

/// Whether the pass runs in groups between phases rather than once in its own.
pub(super) fn is_grouped(info: &PassInfo) -> bool {
    info.always && info.is_cleanup()
}

/// Returns the rules by which `first` must run before `second`.
pub(super) fn precedences(first: &'static PassInfo, second: &'static PassInfo) -> Vec<Stated> {
    let rules = [
        (second, Rule::Requires, second.requires, first),
        (second, Rule::After, second.after, first),
        (first, Rule::Before, first.before, second),
    ];
    rules
        .into_iter()
        .filter_map(|(by, rule, names, other)| state(by, rule, names, other))
        .collect()
}

/// Returns the rule of `by` in `names` that applies to `other`, if any. A tag in a pass's own rules does
/// not apply to the pass itself.
fn state(
    by: &'static PassInfo,
    rule: Rule,
    names: &'static [&'static str],
    other: &'static PassInfo,
) -> Option<Stated> {
    let about = names.iter().copied().find(|name| other.answers_to(name))?;
    (by.name != other.name).then_some(Stated {
        by: by.name,
        rule,
        about,
        other: other.name,
    })
}

/// Checks the rules that don't depend on the order: conflicts and requirements. A pass may occur several
/// times.
pub(super) fn check_set(steps: &[PlannedPass], registry: &Registry) -> Result<(), PlanError> {
    let infos = || steps.iter().map(PlannedPass::info);
    for a in infos() {
        if let Some(stated) = infos().find_map(|b| state(a, Rule::Conflicts, a.conflicts, b)) {
            return Err(PlanError::Conflict(stated));
        }
    }
    for a in infos() {
        let is_met = |name: &str| infos().any(|b| b.name != a.name && b.answers_to(name));
        if let Some(requires) = a.requires.iter().copied().find(|name| !is_met(name)) {
            let remedy = remedy(requires, registry);
            return Err(PlanError::Unmet {
                pass: a.name,
                requires,
                remedy,
            });
        }
    }
    Ok(())
}

fn remedy(requires: &str, registry: &Registry) -> String {
    let able: Vec<&str> = registry
        .infos()
        .filter(|i| i.answers_to(requires))
        .map(|i| i.name)
        .collect();
    match able.as_slice() {
        [] => "no known pass has this name or tag".to_owned(),
        [one] => format!("add `{one}`"),
        many => format!("add one of {}", many.join(", ")),
    }
}

/// Checks that a sequence keeps the order of phases and all rules of order.
///
/// A cleanup pass may occur several times: for each occurrence, every pass that must come first has run
/// before, and every pass that must follow runs after.
pub(super) fn check_sequence(steps: &[PlannedPass]) -> Result<(), PlanError> {
    check_phases(steps)?;
    for (i, a) in steps.iter().enumerate() {
        for (j, b) in steps.iter().enumerate() {
            let (a, b) = (a.info(), b.info());
            for stated in precedences(a, b) {
                // `a` must run before `b`; the pass that states the rule must find the other one.
                let kept = if stated.by == b.name {
                    steps[..j].iter().any(|s| s.info().name == a.name)
                } else {
                    steps[i + 1..].iter().any(|s| s.info().name == b.name)
                };
                if !kept {
                    return Err(PlanError::Order {
                        stated,
                        first: b.name,
                    });
                }
            }
        }
    }
    Ok(())
}

fn check_phases(steps: &[PlannedPass]) -> Result<(), PlanError> {
    let single: Vec<_> = steps
        .iter()
        .map(PlannedPass::info)
        .filter(|i| !is_grouped(i))
        .collect();
    match single.windows(2).find(|pair| pair[0].phase > pair[1].phase) {
        None => Ok(()),
        Some(pair) => Err(PlanError::PhaseOrder {
            first: pair[0].name,
            phase: pair[0].phase,
            second: pair[1].name,
            other: pair[1].phase,
        }),
    }
}

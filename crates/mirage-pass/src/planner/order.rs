//! Sorts the passes of one phase.

use super::{
    error::{PlanError, Stated},
    rules::precedences,
};
use crate::plan::PlannedPass;

/// Sorts the steps so that their rules hold. Stable: of the steps that may run next, the first given runs
/// first.
pub(super) fn sort(mut steps: Vec<PlannedPass>) -> Result<Vec<PlannedPass>, PlanError> {
    let mut sorted = Vec::with_capacity(steps.len());
    while !steps.is_empty() {
        let ready = steps
            .iter()
            .position(|step| blocker(step, &steps).is_none());
        match ready {
            Some(next) => sorted.push(steps.remove(next)),
            None => return Err(PlanError::Cycle(cycle(&steps))),
        }
    }
    Ok(sorted)
}

/// Returns a rule by which another step must run before this one, and that step's position.
fn blocker(step: &PlannedPass, steps: &[PlannedPass]) -> Option<(Stated, usize)> {
    let by = |other: &PlannedPass| precedences(other.info(), step.info()).into_iter().next();
    steps
        .iter()
        .enumerate()
        .find_map(|(i, other)| Some((by(other)?, i)))
}

/// Returns the rules of a cycle, in the order of the steps that they block. Every step must have a
/// blocker.
fn cycle(steps: &[PlannedPass]) -> Vec<Stated> {
    let mut rules: Vec<Stated> = Vec::new();
    let mut visited: Vec<usize> = Vec::new();
    let mut at = 0;
    while !visited.contains(&at) {
        visited.push(at);
        let Some((stated, next)) = blocker(&steps[at], steps) else {
            break;
        };
        rules.push(stated);
        at = next;
    }
    // The walk may have started outside of the cycle: steps before it are not part of it.
    let entry = visited.iter().position(|&v| v == at).unwrap_or(0);
    rules.split_off(entry)
}

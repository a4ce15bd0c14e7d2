//! The planner: puts requested passes and those that always run into a legal order.
//!
//! 1. Phases run in their order; within one, `after`, `before` and `requires` decide, then the
//!    order in which the passes were written.
//! 2. Legalizing passes that are [`always`](crate::PassInfo::always) run first, requested or not.
//! 3. Cleanup passes that are `always` run as a group after each phase in which a pass ran, except the
//!    runtime phase. Requesting one does not add steps; it sets the options of all its steps, which are
//!    then not marked automatic.
//! 4. Conflicts, missing requirements, duplicates and contradictory rules are errors.
//!
//! [`plan_in_order`] keeps the given order: the steps are exactly the given ones. All rules are still
//! checked, and only passes of rule 3 may occur more than once.

mod error;
mod order;
mod rules;

pub use error::{PlanError, Rule, Stated};

use crate::{
    Options, PassInfo, PassSpec, Phase, PipelineSpec, Registry,
    plan::{Plan, PlannedPass},
};
use rules::{check_sequence, check_set, is_grouped};

/// Plans the requested passes and those that always run, in a legal order.
pub fn plan(registry: &Registry, pipeline: &PipelineSpec) -> Result<Plan, PlanError> {
    let asked = resolve(registry, pipeline, |_| false)?;
    let always = |info: &PassInfo| info.always && !asked.iter().any(|s| s.info().name == info.name);
    let automatic = registry
        .iter()
        .filter(|pass| always(pass.info()))
        .map(|pass| PlannedPass {
            pass,
            options: Options::defaults(pass.info()),
            automatic: true,
        });
    let (mut groups, singles): (Vec<PlannedPass>, Vec<PlannedPass>) = automatic
        .chain(asked.iter().cloned())
        .partition(|s| is_grouped(s.info()));

    // The order does not depend on whether they were requested.
    groups.sort_by_key(|step| step.info().name);
    let all: Vec<_> = singles.iter().chain(&groups).cloned().collect();
    check_set(&all, registry)?;
    check_rules_of_phases(&all)?;
    let plan = Plan {
        steps: interleave(singles, order::sort(groups)?)?,
    };
    // Cleanup passes run only after others, so they don't count as present.
    check_set(&plan.steps, registry)?;
    check_sequence(&plan.steps)?;
    Ok(plan)
}

/// Plans exactly these passes in this order; an error if a rule is broken.
pub fn plan_in_order(registry: &Registry, pipeline: &PipelineSpec) -> Result<Plan, PlanError> {
    let steps = resolve(registry, pipeline, is_grouped)?;
    check_set(&steps, registry)?;
    check_sequence(&steps)?;
    Ok(Plan { steps })
}

/// Resolves passes and options; a pass may occur twice if `repeats` returns true for it.
fn resolve(
    registry: &Registry,
    pipeline: &PipelineSpec,
    repeats: fn(&PassInfo) -> bool,
) -> Result<Vec<PlannedPass>, PlanError> {
    let mut steps: Vec<PlannedPass> = Vec::new();
    for spec in &pipeline.passes {
        let step = resolve_one(registry, spec)?;
        let info = step.info();
        if !repeats(info) && steps.iter().any(|s| s.info().name == info.name) {
            return Err(PlanError::Duplicate {
                pass: info.name,
                place: spec.place(),
            });
        }
        steps.push(step);
    }
    Ok(steps)
}

fn resolve_one(registry: &Registry, spec: &PassSpec) -> Result<PlannedPass, PlanError> {
    let Some(pass) = registry.get(spec.name()) else {
        return Err(PlanError::UnknownPass {
            name: spec.name().to_owned(),
            place: spec.place(),
            advice: registry.advice(spec.name()),
        });
    };
    let info = pass.info();
    let options = Options::from_pairs(info, spec.options()).map_err(|problem| {
        let place = spec.option_place(problem.option());
        PlanError::Option {
            pass: info.name,
            place,
            problem,
        }
    })?;
    Ok(PlannedPass::new(pass, options))
}

/// Checks rules between passes of different phases against the order of phases.
fn check_rules_of_phases(steps: &[PlannedPass]) -> Result<(), PlanError> {
    let singles = || {
        steps
            .iter()
            .map(PlannedPass::info)
            .filter(|info| !is_grouped(info))
    };
    for first in singles() {
        for second in singles().filter(|second| second.phase < first.phase) {
            if let Some(stated) = rules::precedences(first, second).into_iter().next() {
                return Err(PlanError::Phases {
                    stated,
                    first: first.name,
                    first_phase: first.phase,
                    second: second.name,
                    second_phase: second.phase,
                });
            }
        }
    }
    Ok(())
}

/// Returns the sorted phases in order, with the cleanup group after each that has a pass.
fn interleave(
    mut singles: Vec<PlannedPass>,
    cleanup: Vec<PlannedPass>,
) -> Result<Vec<PlannedPass>, PlanError> {
    let mut steps = Vec::new();
    for phase in Phase::ALL {
        let (of_phase, rest) = singles.into_iter().partition(|s| s.info().phase == phase);
        singles = rest;
        let sorted = order::sort(of_phase)?;
        let cleans = !sorted.is_empty() && phase != Phase::Runtime;
        steps.extend(sorted);
        if cleans {
            steps.extend(cleanup.iter().cloned());
        }
    }
    // A requested cleanup pass runs even if no other pass does.
    let asked = cleanup.iter().any(|s| !s.automatic);
    if asked && !steps.iter().any(|s| is_grouped(s.info())) {
        steps.extend(cleanup);
    }
    Ok(steps)
}

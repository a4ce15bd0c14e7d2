//! Runs a pass on a whole program: on its graph, and once on each called body.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mirage_ir::{Graph, target::Capabilities};

use super::Fault;
use crate::{Outcome, PassContext, PassError, Phase, PlannedPass, instrument::BodyChange};

/// A program after a pass.
pub(super) struct Passed {
    /// The graph after the pass; its calls share the new bodies.
    pub(super) graph: Graph,
    pub(super) outcome: Outcome,
    /// The effect on each body; bodies that are called by others come first.
    pub(super) bodies: Vec<BodyChange>,
}

/// Runs a step on a program and checks the reported outcome. A pass of [`Phase::Runtime`] applies to the
/// whole program, so it runs on the graph only.
pub(super) fn run(
    step: &PlannedPass,
    program: &Graph,
    capabilities: &Capabilities,
) -> Result<Passed, Fault> {
    let cx = PassContext::new(capabilities, &step.options);
    let (mut graph, outcome) = run_graph(step, program, &cx)?;
    let mut outcomes = vec![(None, outcome)];
    let mut bodies: Vec<BodyChange> = Vec::new();
    if step.info().phase != Phase::Runtime {
        for before in program.callees() {
            let (mut after, outcome) =
                run_graph(step, before, &cx.of_body()).map_err(|f| in_body(before, f))?;
            after.redirect_calls(|body| becomes(&bodies, body));
            outcomes.push((Some(before.name()), outcome));
            bodies.push(BodyChange {
                before: before.clone(),
                after: if after == **before {
                    before.clone()
                } else {
                    Arc::new(after)
                },
            });
        }
        graph.redirect_calls(|body| becomes(&bodies, body));
    }
    Ok(Passed {
        graph,
        outcome: together(outcomes),
        bodies,
    })
}

/// Runs a pass on a copy of a graph. A panic becomes a fault; the program's panic hook is called for it.
fn run_graph(
    step: &PlannedPass,
    before: &Graph,
    cx: &PassContext<'_>,
) -> Result<(Graph, Outcome), Fault> {
    let mut after = before.clone();
    // The copy is discarded after a panic, so no half-rewritten graph is visible.
    let outcome = match catch_unwind(AssertUnwindSafe(|| step.pass.run(&mut after, cx))) {
        Ok(result) => result?,
        Err(payload) => return Err(Fault::Panic(message(&*payload))),
    };
    check_outcome(&outcome, before, &after)?;
    Ok((after, outcome))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("without a message").replace('\n', " ")
}

/// Checks the reported outcome against the graphs.
fn check_outcome(outcome: &Outcome, before: &Graph, after: &Graph) -> Result<(), Fault> {
    match outcome {
        Outcome::Changed { rewrites: 0, .. } => {
            Err(Fault::Outcome("reported a change with 0 rewrites"))
        }
        Outcome::Unchanged { .. } if before != after => {
            Err(Fault::Outcome("reported no change, but changed the graph"))
        }
        Outcome::Unchanged { reasons } if reasons.is_empty() => {
            Err(Fault::Outcome("reported no change without a reason"))
        }
        _ => Ok(()),
    }
}

/// Returns the new version of `body`.
fn becomes(bodies: &[BodyChange], body: &Arc<Graph>) -> Option<Arc<Graph>> {
    let same = bodies.iter().find(|b| Arc::ptr_eq(&b.before, body));
    let same = same.or_else(|| bodies.iter().find(|b| b.before == *body));
    same.map(|b| b.after.clone())
}

/// Joins the outcomes of a graph and of its bodies, which have a name. If one of them changed, the reasons
/// of unchanged ones are left out.
fn together(outcomes: Vec<(Option<&str>, Outcome)>) -> Outcome {
    let rewrites = outcomes.iter().map(|(_, o)| o.rewrites()).sum();
    let is_changed = rewrites > 0;
    let mut lines = Vec::new();
    for (body, outcome) in outcomes {
        if outcome.is_changed() == is_changed {
            lines.extend(outcome.lines().iter().map(|line| match body {
                Some(body) => format!("in `{body}`: {line}"),
                None => line.clone(),
            }));
        }
    }
    match is_changed {
        true => Outcome::Changed {
            rewrites,
            notes: lines,
        },
        false => Outcome::Unchanged { reasons: lines },
    }
}

/// Adds the body's name to a fault that does not name the graph.
fn in_body(body: &Graph, fault: Fault) -> Fault {
    let name = body.name();
    match fault {
        Fault::Panic(message) => Fault::Panic(format!("in `{name}`: {message}")),
        Fault::Pass(PassError::Other(message)) => {
            Fault::Pass(PassError::Other(format!("in `{name}`: {message}")))
        }
        fault => fault,
    }
}

//! A pass on a whole program: on its graph, and once on each body that it calls.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mirage_ir::{Graph, target::Capabilities};

use super::Fault;
use crate::{Outcome, PassContext, PassError, Phase, Step, instrument::BodyChange};

/// What a pass made of a program.
pub(super) struct Passed {
    /// The program after it; its calls share the bodies after it.
    pub(super) graph: Graph,
    pub(super) outcome: Outcome,
    /// The bodies that were called before it, those that others call first.
    pub(super) bodies: Vec<BodyChange>,
}

/// Runs a step on a program and checks that the outcome is what happened. A pass of
/// [`Phase::Runtime`] says how the whole is to be run, so it sees the graph alone.
pub(super) fn run(
    step: &Step,
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

/// Runs a pass on a copy of a graph. A panic becomes a fault; the program's panic hook sees it
/// nevertheless.
fn run_graph(step: &Step, before: &Graph, cx: &PassContext<'_>) -> Result<(Graph, Outcome), Fault> {
    let mut after = before.clone();
    // After a panic the copy is thrown away, so nobody sees it half rewritten.
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

/// Whether the outcome is what happened.
fn check_outcome(outcome: &Outcome, before: &Graph, after: &Graph) -> Result<(), Fault> {
    match outcome {
        Outcome::Changed { rewrites: 0, .. } => {
            Err(Fault::Outcome("says that it changed the graph in 0 places"))
        }
        Outcome::Unchanged { .. } if before != after => Err(Fault::Outcome(
            "says that it left the graph as it was, but did not",
        )),
        Outcome::Unchanged { reasons } if reasons.is_empty() => {
            Err(Fault::Outcome("did nothing and does not say why"))
        }
        _ => Ok(()),
    }
}

/// The body that takes the place of `body`.
fn becomes(bodies: &[BodyChange], body: &Arc<Graph>) -> Option<Arc<Graph>> {
    let same = bodies.iter().find(|b| Arc::ptr_eq(&b.before, body));
    let same = same.or_else(|| bodies.iter().find(|b| b.before == *body));
    same.map(|b| b.after.clone())
}

/// The outcome of a program from those of its graph and of its bodies, which have a name. If one
/// graph has changed, why others have not is of no interest.
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

/// The fault with the body's name, where it does not name the graph already.
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

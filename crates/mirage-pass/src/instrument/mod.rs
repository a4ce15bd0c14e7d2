//! Instruments: observers of the passes of a pipeline.

mod bisect;
mod dump;
mod numerics;
mod sample;
mod timing;
mod verify;

use std::sync::Arc;

use mirage_ir::Graph;

pub use bisect::{Bisect, Bisection};
pub use dump::Dump;
pub use numerics::{NumericEffect, NumericsDiff};
pub use timing::Timing;
pub use verify::{Interface, Verify};

use crate::{Fault, Outcome, PassRun, Plan, PlannedPass};

/// An instrument's answer to whether a step may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The step may run.
    Run,
    /// The step must not run, for this reason, which the report shows.
    Veto(String),
}

/// A step and its position in the plan, from 0.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// The position, from 0.
    pub index: usize,
    /// The step.
    pub step: &'a PlannedPass,
}

/// The effect of a step.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The graph before the pass.
    pub before: &'a Graph,
    /// The graph after the pass. [`Verify`] has checked it before any instrument that is added to a
    /// manager sees it.
    pub after: &'a Graph,
    /// The outcome that the pass reported, for the graph and the bodies.
    pub outcome: &'a Outcome,
    /// The effect on each body that the graph calls; empty if the pass did not run on bodies.
    pub bodies: &'a [BodyChange],
}

/// The effect of a step on a body.
#[derive(Clone, Debug)]
pub struct BodyChange {
    /// The body before the pass.
    pub before: Arc<Graph>,
    /// The body after the pass; the same `Arc` if it is unchanged.
    pub after: Arc<Graph>,
}

/// Observes a pipeline. Every method except `name` does nothing by default.
///
/// Before each pass, the instruments are called in reverse order, so that timing, which is installed
/// first, starts last; after it, they are called in order.
pub trait Instrument {
    /// Returns the name used in reports and messages.
    fn name(&self) -> &'static str;

    /// Called before the plan runs on this graph. An error stops it.
    fn begin(&mut self, _plan: &Plan, _graph: &Graph) -> Result<(), Fault> {
        Ok(())
    }

    /// Called before a pass runs. After a veto, the remaining instruments are not called.
    fn before(&mut self, _step: StepView<'_>, _graph: &Graph) -> Verdict {
        Verdict::Run
    }

    /// Called after a pass has run; may add to its row of the report. An error makes the pass fail.
    fn after(
        &mut self,
        _step: StepView<'_>,
        _change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        Ok(())
    }

    /// Called when a pass has failed on this graph; the pipeline stops.
    fn failed(&mut self, _step: StepView<'_>, _graph: &Graph, _fault: &Fault) {}
}

impl<I: Instrument + ?Sized> Instrument for &mut I {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn begin(&mut self, plan: &Plan, graph: &Graph) -> Result<(), Fault> {
        (**self).begin(plan, graph)
    }

    fn before(&mut self, step: StepView<'_>, graph: &Graph) -> Verdict {
        (**self).before(step, graph)
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        run: &mut PassRun,
    ) -> Result<(), Fault> {
        (**self).after(step, change, run)
    }

    fn failed(&mut self, step: StepView<'_>, graph: &Graph, fault: &Fault) {
        (**self).failed(step, graph, fault);
    }
}

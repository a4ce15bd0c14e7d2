//! Instruments: what watches the passes of a pipeline.

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

use crate::{Fault, Outcome, PassRun, Plan, Step};

/// Whether a step may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Run,
    /// It may not, for this reason; the report says so.
    Veto(String),
}

/// A step and its position in the plan, from 0.
#[derive(Clone, Copy, Debug)]
pub struct StepView<'a> {
    /// The position.
    pub index: usize,
    /// The step.
    pub step: &'a Step,
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The graph that the pass was given.
    pub before: &'a Graph,
    /// The graph that it gave. Valid once [`Verify`] has seen it, which comes before every
    /// instrument that is added to a manager.
    pub after: &'a Graph,
    /// What the pass says about it, of the bodies too.
    pub outcome: &'a Outcome,
    /// The bodies that the graph called before the pass; empty if it did not run on them.
    pub bodies: &'a [BodyChange],
}

/// What a step did to the body of calls.
#[derive(Clone, Debug)]
pub struct BodyChange {
    /// The body that the pass was given.
    pub before: Arc<Graph>,
    /// The body that is called instead; the same `Arc` if nothing has changed.
    pub after: Arc<Graph>,
}

/// Watches a pipeline. Every method but the name does nothing unless an instrument says otherwise.
///
/// Around each pass, `before` is called on the instruments in reverse order, so that timing, which
/// is installed first, starts last; `after` and the others in order.
pub trait Instrument {
    /// The name in reports and messages.
    fn name(&self) -> &'static str;

    /// The plan is about to run on this graph. An error stops it.
    fn begin(&mut self, _plan: &Plan, _graph: &Graph) -> Result<(), Fault> {
        Ok(())
    }

    /// A pass is about to run. After a veto the remaining instruments are not asked.
    fn before(&mut self, _step: StepView<'_>, _graph: &Graph) -> Verdict {
        Verdict::Run
    }

    /// A pass has run, and its row of the report is still open. An error makes the pass fail.
    fn after(
        &mut self,
        _step: StepView<'_>,
        _change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        Ok(())
    }

    /// A pass has failed on this graph; the pipeline stops.
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

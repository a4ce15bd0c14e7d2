//! Bisection: finds the pass that breaks a graph.

use mirage_ir::Graph;

use super::{Change, Instrument, StepView};
use crate::{Fault, PassRun, Plan};

/// Keeps the graph after each pass that changed it, to find the first bad one.
///
/// ```no_run
/// # use mirage_ir::{Graph, target::Capabilities};
/// # use mirage_pass::{Plan, Manager, PipelineError, instrument::{Bisect, Bisection}};
/// # fn find(plan: &Plan, graph: &Graph, runs_well: fn(&Graph) -> bool) -> Result<(), PipelineError> {
/// let mut bisect = Bisect::new();
/// Manager::new().with(&mut bisect).run(plan, graph, &Capabilities::default())?;
/// if let Bisection::FirstBad { pass, before, after, .. } = bisect.search(runs_well) {
///     // `runs_well(before)` holds and `runs_well(after)` does not.
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Bisect {
    input: Option<Graph>,
    graphs: Vec<(usize, &'static str, Graph)>,
}

/// The result of [`Bisect::search`].
#[derive(Clone, Debug, PartialEq)]
pub enum Bisection<'a> {
    /// The graph is already bad before the first pass.
    BadInput,
    /// The graph after the last pass is good, or no pipeline was run.
    Good,
    /// This pass turns a good graph into a bad one.
    FirstBad {
        /// The step's position in the plan, from 0.
        step: usize,
        /// The pass.
        pass: &'static str,
        /// The graph before the pass.
        before: &'a Graph,
        /// The graph after the pass.
        after: &'a Graph,
    },
}

impl Bisect {
    /// Returns an instrument that has no graphs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the pass that turns a good graph into a bad one, by binary search: the predicate is called
    /// O(log n) times for n passes. If graphs turn bad more than once, one of these passes is found.
    pub fn search(&self, good: impl Fn(&Graph) -> bool) -> Bisection<'_> {
        let (Some(input), Some((_, _, last))) = (&self.input, self.graphs.last()) else {
            return match &self.input {
                Some(input) if !good(input) => Bisection::BadInput,
                _ => Bisection::Good,
            };
        };
        if !good(input) {
            return Bisection::BadInput;
        }
        if good(last) {
            return Bisection::Good;
        }
        // The graph before `low` is good, the graph after `high` is bad.
        let (mut low, mut high) = (0, self.graphs.len() - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if good(&self.graphs[middle].2) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let before = if low == 0 {
            input
        } else {
            &self.graphs[low - 1].2
        };
        let (step, pass, after) = &self.graphs[low];
        Bisection::FirstBad {
            step: *step,
            pass,
            before,
            after,
        }
    }
}

impl Instrument for Bisect {
    fn name(&self) -> &'static str {
        "bisect"
    }

    fn begin(&mut self, _plan: &Plan, graph: &Graph) -> Result<(), Fault> {
        self.input = Some(graph.clone());
        self.graphs.clear();
        Ok(())
    }

    fn after(
        &mut self,
        step: StepView<'_>,
        change: Change<'_>,
        _run: &mut PassRun,
    ) -> Result<(), Fault> {
        if change.outcome.is_changed() {
            self.graphs
                .push((step.index, step.step.info().name, change.after.clone()));
        }
        Ok(())
    }
}

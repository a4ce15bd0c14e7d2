//! The manager: runs a plan on a graph, with instruments around each pass.

mod error;
mod program;
mod report;
mod reproducer;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use mirage_ir::{Graph, target::Capabilities};

pub use error::{BeginFault, Fault, PipelineError, StepFailure};
pub use report::{GraphSummary, PassRun, PipelineReport, Remark};
pub use reproducer::Reproducer;

use crate::{
    Fingerprint, Plan,
    instrument::{Change, Instrument, Interface, StepView, Timing, Verdict, Verify},
};

/// Runs plans on graphs.
///
/// Every pass works on a copy of the graph, and on one copy of each called body: calls that share a body
/// share its new version. Timing, verification and the interface check are instruments that are always
/// installed, before all others, so other instruments see only valid graphs.
///
/// ```
/// use mirage_ir::{DType, Graph, TensorType, target::Capabilities};
/// use mirage_pass::{Manager, PipelineSpec, Registry, plan};
///
/// # let mut b = Graph::builder("example");
/// # let x = b.input("x", TensorType::new(DType::F32, [1, 8]));
/// # b.output("y", x);
/// # let graph = b.finish()?;
/// let registry = Registry::linked()?;
/// let pipeline: PipelineSpec = "".parse()?;
/// let plan = plan(&registry, &pipeline)?;
/// let (optimized, report) = Manager::new().run(&plan, &graph, &Capabilities::default())?;
/// assert_eq!(report.passes.len(), plan.steps.len());
/// # assert_eq!(optimized, graph);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Manager<'a> {
    instruments: Vec<Box<dyn Instrument + 'a>>,
    reproducers: Option<PathBuf>,
}

impl Default for Manager<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Manager<'a> {
    /// Returns a manager with the instruments that are always installed.
    pub fn new() -> Self {
        Manager {
            instruments: vec![
                Box::new(Timing::new()),
                Box::new(Verify),
                Box::new(Interface),
            ],
            reproducers: None,
        }
    }

    /// Adds an instrument after those installed so far. Pass `&mut` to read its results afterwards.
    #[must_use]
    pub fn with(mut self, instrument: impl Instrument + 'a) -> Self {
        self.instruments.push(Box::new(instrument));
        self
    }

    /// Writes a reproducer of each failure to this folder.
    #[must_use]
    pub fn reproducers(mut self, folder: impl Into<PathBuf>) -> Self {
        self.reproducers = Some(folder.into());
        self
    }

    /// Runs a plan on a copy of the graph, for a backend with these capabilities. Returns the new graph and
    /// a report on each pass.
    ///
    /// # Errors
    /// If the graph is invalid or a pass fails. The error names the pass and what is wrong.
    pub fn run(
        &mut self,
        plan: &Plan,
        graph: &Graph,
        capabilities: &Capabilities,
    ) -> Result<(Graph, PipelineReport), PipelineError> {
        let start = Instant::now();
        for instrument in &mut self.instruments {
            instrument
                .begin(plan, graph)
                .map_err(|f| PipelineError::Begin(BeginFault(f)))?;
        }
        let summary = GraphSummary::of(graph);
        let mut report = PipelineReport {
            graph: graph.name().to_owned(),
            fingerprint: Fingerprint::of(plan, capabilities),
            passes: Vec::with_capacity(plan.steps.len()),
            before: summary,
            after: summary,
            time: Duration::ZERO,
        };
        let mut graph = graph.clone();
        for (index, step) in plan.steps.iter().enumerate() {
            let view = StepView { index, step };
            let mut run = PassRun::new(step, report.after);
            match self.step(view, &graph, capabilities, &mut run) {
                Ok(after) => graph = after.unwrap_or(graph),
                Err(fault) => {
                    report.time = start.elapsed();
                    return Err(self
                        .failure(view, &graph, capabilities, fault, report)
                        .into());
                }
            }
            report.after = run.after;
            report.passes.push(run);
        }
        report.time = start.elapsed();
        Ok((graph, report))
    }

    /// Runs one step; returns the new graph if the step changed it.
    fn step(
        &mut self,
        view: StepView<'_>,
        before: &Graph,
        capabilities: &Capabilities,
        run: &mut PassRun,
    ) -> Result<Option<Graph>, Fault> {
        for instrument in self.instruments.iter_mut().rev() {
            if let Verdict::Veto(reason) = instrument.before(view, before) {
                tracing::debug!(pass = run.name, by = instrument.name(), reason, "vetoed");
                run.vetoed = Some(format!("{}: {reason}", instrument.name()));
                return Ok(None);
            }
        }
        let passed = program::run(view.step, before, capabilities)?;
        let (after, outcome) = (passed.graph, passed.outcome);
        run.record(&outcome);
        for instrument in &mut self.instruments {
            let change = Change {
                before,
                after: &after,
                outcome: &outcome,
                bodies: &passed.bodies,
            };
            instrument.after(view, change, run)?;
        }
        tracing::debug!(pass = run.name, rewrites = run.rewrites, time = ?run.time, "ran");
        if !outcome.is_changed() {
            return Ok(None);
        }
        run.after = GraphSummary::of(&after);
        Ok(Some(after))
    }

    fn failure(
        &mut self,
        view: StepView<'_>,
        graph: &Graph,
        capabilities: &Capabilities,
        fault: Fault,
        report: PipelineReport,
    ) -> Box<StepFailure> {
        for instrument in &mut self.instruments {
            instrument.failed(view, graph, &fault);
        }
        let info = view.step.info();
        let reproducer = Reproducer::new(view.step, graph, capabilities, fault.to_string());
        let write = |folder| reproducer.write(folder).map_err(|e| e.to_string());
        let written = self.reproducers.as_deref().map(write);
        Box::new(StepFailure {
            pass: info.name,
            version: info.version,
            step: view.index,
            fault,
            reproducer,
            written,
            report,
        })
    }
}

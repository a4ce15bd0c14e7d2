//! The report on a plan: each pass's outcome, time and effect on cost.

use std::time::Duration;

use mirage_ir::{Graph, cost::graph_cost};
use serde::{Serialize, Serializer};

use crate::{Fingerprint, Numerics, Options, Outcome, Phase, PlannedPass};

/// The cost of a graph. See [`mirage_ir::cost::GraphCost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GraphSummary {
    /// The number of nodes; those of a called body are counted once.
    pub nodes: usize,
    /// Floating-point operations of one execution; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that the nodes read and write in one execution.
    pub bytes: u64,
    /// Bytes of the weights.
    pub weight_bytes: u64,
    /// Bytes that the nodes write in one execution.
    pub activation_bytes: u64,
    /// The peak of bytes of activations that are alive at once.
    pub peak_activation_bytes: u64,
}

impl GraphSummary {
    /// Returns the summary of a valid graph.
    pub fn of(graph: &Graph) -> Self {
        let cost = graph_cost(graph);
        GraphSummary {
            nodes: graph
                .callees()
                .into_iter()
                .fold(graph.nodes().len(), |sum, body| sum + body.nodes().len()),
            flops: cost.flops,
            bytes: cost.bytes,
            weight_bytes: cost.weight_bytes,
            activation_bytes: cost.activation_bytes,
            peak_activation_bytes: cost.peak_activation_bytes,
        }
    }
}

/// A line that an instrument adds to a pass's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The instrument.
    pub by: &'static str,
    /// The text.
    pub text: String,
}

/// The report on one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PassRun {
    /// The pass.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Its phase.
    pub phase: Phase,
    /// What it promises about the numbers.
    pub numerics: Numerics,
    /// All options with their values.
    pub options: Options,
    /// Whether the planner added the step without a request.
    pub automatic: bool,
    /// The number of rewrites.
    pub rewrites: usize,
    /// Notes on what the pass changed.
    pub notes: Vec<String>,
    /// Why the pass changed nothing; empty if it changed the graph or was vetoed.
    pub reasons: Vec<String>,
    /// Why an instrument vetoed the step, with the instrument's name.
    pub vetoed: Option<String>,
    /// Remarks of instruments.
    pub remarks: Vec<Remark>,
    /// The time of the pass itself, without verification and other instruments.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
    /// The graph before the pass.
    pub before: GraphSummary,
    /// The graph after the pass.
    pub after: GraphSummary,
}

impl PassRun {
    /// Returns the row of a step that has not run yet.
    pub(super) fn new(step: &PlannedPass, before: GraphSummary) -> Self {
        let info = step.info();
        PassRun {
            name: info.name,
            version: info.version,
            phase: info.phase,
            numerics: info.numerics,
            options: step.options.clone(),
            automatic: step.automatic,
            rewrites: 0,
            notes: Vec::new(),
            reasons: Vec::new(),
            vetoed: None,
            remarks: Vec::new(),
            time: Duration::ZERO,
            before,
            after: before,
        }
    }

    pub(super) fn record(&mut self, outcome: &Outcome) {
        self.rewrites = outcome.rewrites();
        match outcome {
            Outcome::Changed { notes, .. } => self.notes = notes.clone(),
            Outcome::Unchanged { reasons } => self.reasons = reasons.clone(),
        }
    }

    /// Adds a remark of an instrument.
    pub fn remark(&mut self, by: &'static str, text: impl Into<String>) {
        self.remarks.push(Remark {
            by,
            text: text.into(),
        });
    }
}

/// The report on a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineReport {
    /// The graph's name.
    pub graph: String,
    /// The fingerprint of the plan and of the capabilities that it was run for.
    pub fingerprint: Fingerprint,
    /// The steps, in the order in which they ran.
    pub passes: Vec<PassRun>,
    /// The graph before the first step.
    pub before: GraphSummary,
    /// The graph after the last.
    pub after: GraphSummary,
    /// The total time, instruments included.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
}

fn seconds<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(time.as_secs_f64())
}

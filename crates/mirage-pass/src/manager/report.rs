//! What running a plan tells: each pass's outcome, time and effect on cost.

use std::time::Duration;

use mirage_ir::{Graph, cost::graph_cost};
use serde::{Serialize, Serializer};

use crate::{Fingerprint, Numerics, Options, Outcome, Phase, Step};

/// What a graph costs, for comparing it before and after. See [`mirage_ir::cost::GraphCost`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GraphSummary {
    /// Nodes, those of a body once however often it is called.
    pub nodes: usize,
    /// Floating-point operations of one execution; a multiply-add counts two.
    pub flops: u64,
    /// Bytes that the nodes of one execution read and write.
    pub bytes: u64,
    /// Bytes of the weights as they are held.
    pub weight_bytes: u64,
    /// Bytes that the nodes of one execution write.
    pub activation_bytes: u64,
    /// The most bytes of activations alive at once.
    pub peak_activation_bytes: u64,
}

impl GraphSummary {
    /// The summary of a graph, which must be valid.
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

/// What an instrument adds to a pass's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The instrument.
    pub by: &'static str,
    /// One line.
    pub text: String,
}

/// One step as it was run.
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
    /// Its options, all of them.
    pub options: Options,
    /// Whether the planner put it there without being asked.
    pub automatic: bool,
    /// How many places it rewrote.
    pub rewrites: usize,
    /// What it says about what it did.
    pub notes: Vec<String>,
    /// Why it did nothing; empty if it did something or was vetoed.
    pub reasons: Vec<String>,
    /// Why an instrument kept it from running, with the instrument's name.
    pub vetoed: Option<String>,
    /// What instruments say about it.
    pub remarks: Vec<Remark>,
    /// How long the pass itself took, without verification or other instruments.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
    /// The graph that it was given.
    pub before: GraphSummary,
    /// The graph that it gave.
    pub after: GraphSummary,
}

impl PassRun {
    /// The row of a step that has not run yet.
    pub(super) fn new(step: &Step, before: GraphSummary) -> Self {
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

    /// Adds what an instrument has to say.
    pub fn remark(&mut self, by: &'static str, text: impl Into<String>) {
        self.remarks.push(Remark {
            by,
            text: text.into(),
        });
    }
}

/// A plan as it was run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PipelineReport {
    /// The graph's name.
    pub graph: String,
    /// The identity of the plan and the capabilities that it was run for.
    pub fingerprint: Fingerprint,
    /// The steps, in the order in which they ran.
    pub passes: Vec<PassRun>,
    /// The graph before the first step.
    pub before: GraphSummary,
    /// The graph after the last.
    pub after: GraphSummary,
    /// How long all of it took, instruments included.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
}

fn seconds<S: Serializer>(time: &Duration, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(time.as_secs_f64())
}

//! The report of a run as data, for `--report` and for people's tools. docs/reference/report.md describes the
//! schema.

use std::collections::BTreeMap;

use mirage_backend::{Backend, MemoryReport};
use mirage_ir::{DType, Graph, Node, analysis::Prologue, cost::node_cost, ops::Call};
use mirage_pass::{Numerics, PassRun, Phase, PipelineReport};
use mirage_video::{Accounting, Damage};
use serde::Serialize;

use crate::{Comparison, Percentiles, SamplerConfig, StageTimes};

/// The version of the schema; incremented when a field changes its meaning or is removed.
pub const REPORT_SCHEMA: u32 = 1;

/// The report of a run: its setting and results.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// [`REPORT_SCHEMA`].
    pub schema: u32,
    /// The version of Mirage.
    pub mirage: &'static str,
    /// The machine.
    pub machine: Machine,
    /// The backend.
    pub backend: BackendReport,
    /// The model.
    pub model: ModelReport,
    /// The frame's shape in the program, `[1, 3, H, W]`.
    pub shape: [usize; 4],
    /// The dtype that convolutions and products run in after the passes.
    pub dtype: String,
    /// The seed of weights (if untrained) and noise.
    pub seed: u64,
    /// The sampler's settings.
    pub sampler: SamplerReport,
    /// The passes, in the form of `--passes`.
    pub pipeline: String,
    /// The plan's fingerprint: passes, versions, options, capabilities.
    pub fingerprint: String,
    /// Every pass, in the order in which they ran.
    pub passes: Vec<PassReport>,
    /// Weights and activations before the first pass and after the last one.
    pub graph: GraphChange,
    /// Compile time including the prologue, ms.
    pub compile_ms: f64,
    /// Memory of the executable.
    pub memory: MemoryReportBytes,
    /// Notes of the backend on the compilation.
    pub notes: Vec<String>,
    /// What was lost or changed on the way from the input to the output: sound, rates, colours.
    pub video_notes: Vec<String>,
    /// Damage of the input, of which the rest was read; absent if there is none.
    pub damage: Option<DamageReport>,
    /// Median time of the network in a frame, ms; absent if no frame was left after the warm-up.
    pub p50: Option<f64>,
    /// 95th percentile, ms.
    pub p95: Option<f64>,
    /// 99th percentile, ms.
    pub p99: Option<f64>,
    /// Times of the stages of the run, which work at the same time, without the warm-up.
    pub stages: StageTimes,
    /// Delivered frames per second, without the warm-up.
    pub fps: Option<f64>,
    /// Frames in the output.
    pub delivered: u64,
    /// Frames that were read and not processed, or left out by a format that shows frames no faster.
    pub skipped: u64,
    /// Frames that failed.
    pub failed: u64,
    /// The number of warm-up frames, excluded from the times.
    pub warmup: usize,
    /// Whether Ctrl-C ended the run.
    pub stopped: bool,
    /// The comparison with the same frames without passes; absent if skipped.
    pub comparison: Option<Comparison>,
    /// The file that was written.
    pub output: Option<String>,
}

/// Damage of the input.
#[derive(Clone, Debug, Serialize)]
pub struct DamageReport {
    /// The number of complaints of the decoder.
    pub count: u64,
    /// The first complaint.
    pub first: String,
}

impl DamageReport {
    /// Of this damage.
    pub fn of(damage: &Damage) -> Self {
        DamageReport {
            count: damage.count,
            first: damage.first.clone(),
        }
    }
}

/// The machine of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The device's name.
    pub device: String,
    /// Details that matter for its speed.
    pub details: String,
    /// Operating system and architecture.
    pub platform: String,
}

impl Machine {
    /// The machine behind a backend's device.
    pub fn of(backend: &dyn Backend, device: usize) -> Self {
        let devices = backend.devices().unwrap_or_default();
        let found = devices.into_iter().find(|d| d.index == device);
        let (device, details) = found.map_or_else(Default::default, |d| (d.name, d.details));
        let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        Machine {
            device,
            details,
            platform,
        }
    }
}

/// The backend of a run.
#[derive(Clone, Debug, Serialize)]
pub struct BackendReport {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The engine behind it and the engine's version.
    pub engine: &'static str,
}

impl BackendReport {
    /// Of this backend.
    pub fn of(backend: &dyn Backend) -> Self {
        let info = backend.info();
        BackendReport {
            name: info.name,
            version: info.version,
            engine: info.engine,
        }
    }
}

/// The model of a run.
#[derive(Clone, Debug, Serialize)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// The number of its parameters.
    pub parameters: usize,
    /// Whether its weights came from a file.
    pub trained: bool,
}

/// The sampler of a run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SamplerReport {
    /// Denoising steps per frame.
    pub steps: usize,
    /// Noise between steps.
    pub eta: f64,
    /// How much of the frame is noised.
    pub strength: f64,
}

impl From<SamplerConfig> for SamplerReport {
    fn from(c: SamplerConfig) -> Self {
        SamplerReport {
            steps: c.steps,
            eta: c.eta,
            strength: c.strength,
        }
    }
}

/// One pass of a run.
#[derive(Clone, Debug, Serialize)]
pub struct PassReport {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
    /// Its phase.
    pub phase: Phase,
    /// Its numerics class.
    pub numerics: Numerics,
    /// Whether the planner put it there.
    pub automatic: bool,
    /// Places rewritten.
    pub rewrites: usize,
    /// Its time, ms.
    pub time_ms: f64,
    /// Bytes of weights as an execution reads them, after it.
    pub weight_bytes: u64,
    /// What it changed in them.
    pub weight_bytes_change: i64,
    /// Bytes that an execution's nodes write, after it.
    pub activation_bytes: u64,
    /// What it changed in them.
    pub activation_bytes_change: i64,
    /// Its notes, or why it changed nothing.
    pub notes: Vec<String>,
}

impl PassReport {
    /// Of one run of a pass.
    pub fn of(run: &PassRun) -> Self {
        let change = |after: u64, before: u64| after as i64 - before as i64;
        let vetoed = run.vetoed.iter().map(|reason| format!("vetoed: {reason}"));
        let remarks = run.remarks.iter().map(|r| format!("{}: {}", r.by, r.text));
        PassReport {
            name: run.name,
            version: run.version,
            phase: run.phase,
            numerics: run.numerics,
            automatic: run.automatic,
            rewrites: run.rewrites,
            time_ms: run.time.as_secs_f64() * 1e3,
            weight_bytes: run.after.weight_bytes,
            weight_bytes_change: change(run.after.weight_bytes, run.before.weight_bytes),
            activation_bytes: run.after.activation_bytes,
            activation_bytes_change: change(
                run.after.activation_bytes,
                run.before.activation_bytes,
            ),
            notes: run
                .notes
                .iter()
                .chain(&run.reasons)
                .cloned()
                .chain(vetoed)
                .chain(remarks)
                .collect(),
        }
    }

    /// Of every pass of a pipeline.
    pub fn all(pipeline: &PipelineReport) -> Vec<Self> {
        pipeline.passes.iter().map(Self::of).collect()
    }
}

/// The change of the graph by a pipeline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GraphChange {
    /// Nodes before and after.
    pub nodes: [usize; 2],
    /// Floating-point operations of an execution, before and after.
    pub flops: [u64; 2],
    /// Bytes of weights, before and after.
    pub weight_bytes: [u64; 2],
    /// Bytes that the nodes of an execution write, before and after.
    pub activation_bytes: [u64; 2],
    /// The most bytes of activations alive at once, before and after.
    pub peak_activation_bytes: [u64; 2],
}

impl GraphChange {
    /// Of a pipeline.
    pub fn of(p: &PipelineReport) -> Self {
        GraphChange {
            nodes: [p.before.nodes, p.after.nodes],
            flops: [p.before.flops, p.after.flops],
            weight_bytes: [p.before.weight_bytes, p.after.weight_bytes],
            activation_bytes: [p.before.activation_bytes, p.after.activation_bytes],
            peak_activation_bytes: [
                p.before.peak_activation_bytes,
                p.after.peak_activation_bytes,
            ],
        }
    }
}

/// Memory of an executable, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MemoryReportBytes {
    /// Weights.
    pub weights: u64,
    /// States.
    pub states: u64,
    /// The most activations alive at once, as planned.
    pub planned_peak: u64,
    /// The memory that the executable holds for activations; null where the engine allocates it.
    pub held: Option<u64>,
}

impl From<MemoryReport> for MemoryReportBytes {
    fn from(m: MemoryReport) -> Self {
        MemoryReportBytes {
            weights: m.weight_bytes,
            states: m.state_bytes,
            planned_peak: m.planned_peak_bytes,
            held: m.held_bytes,
        }
    }
}

/// The fields of a report that count frames.
impl RunReport {
    /// Takes over what became of the frames.
    pub fn set_accounting(&mut self, accounting: &Accounting) {
        self.delivered = accounting.delivered;
        self.skipped = accounting.skipped;
        self.failed = accounting.failed;
    }

    /// Takes over the times of a run.
    pub fn set_times(&mut self, times: Option<Percentiles>, fps: Option<f64>) {
        self.p50 = times.map(|t| t.p50);
        self.p95 = times.map(|t| t.p95);
        self.p99 = times.map(|t| t.p99);
        self.fps = fps;
    }
}

/// The dtype in which most floating-point operations of a graph's executions are done.
pub fn main_dtype(graph: &Graph) -> DType {
    let mut flops = BTreeMap::new();
    count_flops(graph, &mut flops);
    flops
        .into_iter()
        .max_by_key(|&(_, flops)| flops)
        .map_or(DType::F32, |(dtype, _)| dtype)
}

/// Adds the floating-point operations of an execution, by the dtype of their results.
fn count_flops(graph: &Graph, flops: &mut BTreeMap<DType, u64>) {
    let prologue = Prologue::of(graph);
    let executed = |n: &&Node| !prologue.is_fixed(n.output());
    for node in graph.nodes().iter().filter(executed) {
        match node.op.get::<Call>().and(node.op.body()) {
            Some(body) => count_flops(body, flops),
            None => {
                let dtype = graph.ty(node.output()).dtype;
                let sum = flops.entry(dtype).or_default();
                *sum = sum.saturating_add(node_cost(graph, node).flops);
            }
        }
    }
}

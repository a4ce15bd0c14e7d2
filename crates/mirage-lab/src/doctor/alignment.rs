//! Layers whose channel counts are not aligned for the hardware.

use mirage_ir::{DType, Graph, cost::graph_cost, target::Capabilities};
use mirage_pass::{Manager, PassSpec, PipelineSpec, Registry, plan};
use mirage_passes::alignment::{Misaligned, alignment};
use mirage_stream::capture_forward;
use serde::Serialize;

use crate::{Job, Result};

/// The default multiple: rows of 16 bytes for tensor cores.
const USUAL_MULTIPLE: usize = 8;

/// The misaligned layers of a model.
#[derive(Serialize)]
pub struct AlignmentReport {
    /// The model.
    pub model: String,
    /// Width and height.
    pub size: [usize; 2],
    /// The dtype that was checked for.
    pub dtype: String,
    /// The misaligned layers.
    pub layers: Vec<MisalignedLayer>,
    /// Floating-point operations that padding all of them adds to a forward pass.
    pub extra_flops: u64,
    /// The same in percent of the forward pass.
    pub extra_flops_percent: f64,
    /// Bytes that padding all of them adds.
    pub extra_bytes: u64,
    /// Notes of the pass `pad_channels` on the graph.
    pub pad_channels: Vec<String>,
}

/// A misaligned side of a layer.
#[derive(Serialize)]
pub struct MisalignedLayer {
    /// Module path of the layer.
    pub layer: String,
    /// Its operation.
    pub op: String,
    /// Whether inputs or outputs.
    pub side: String,
    /// Channels.
    pub size: usize,
    /// The next multiple.
    pub padded: usize,
    /// Operations that padding adds.
    pub extra_flops: u64,
    /// Bytes that padding adds.
    pub extra_bytes: u64,
    /// Why it cannot be padded.
    pub blocked: Option<&'static str>,
}

/// Returns the graph of one forward pass of the job's model, after the passes that always run.
///
/// # Errors
/// If the model cannot be captured or a pass fails.
pub fn canonical_forward(job: &Job, registry: &Registry) -> Result<Graph> {
    let captured = capture_forward(&job.outline()?, 1, job.size)?;
    let canonical = plan(registry, &PipelineSpec::empty())?;
    let (graph, _) = Manager::new().run(&canonical, &captured.graph, &job.capabilities())?;
    Ok(graph)
}

/// Returns the layers of the job's model that are not aligned to `multiple`, or to the backend's multiple
/// for the dtype.
///
/// # Errors
/// As [`canonical_forward`].
pub fn misaligned(
    job: &Job,
    registry: &Registry,
    dtype: DType,
    multiple: Option<usize>,
) -> Result<AlignmentReport> {
    let capabilities = job.capabilities();
    let graph = canonical_forward(job, registry)?;
    let wanted = |op: &str| multiple.unwrap_or_else(|| wanted(&capabilities, op, dtype));
    let found = alignment(&graph, |op, _| wanted(op));
    let extra_flops = found.iter().map(|m| m.extra_flops).sum();
    Ok(AlignmentReport {
        model: job.config.name.clone(),
        size: [job.size.width, job.size.height],
        dtype: dtype.to_string(),
        extra_flops,
        extra_flops_percent: percent(extra_flops, graph_cost(&graph).flops),
        extra_bytes: found.iter().map(|m| m.extra_bytes).sum(),
        layers: found.iter().map(MisalignedLayer::of).collect(),
        pad_channels: match found.is_empty() {
            true => Vec::new(),
            false => padding(registry, &graph, &capabilities, wanted("conv"))?,
        },
    })
}

/// Returns the notes of `pad_channels` on a graph.
fn padding(
    registry: &Registry,
    graph: &Graph,
    capabilities: &Capabilities,
    multiple: usize,
) -> Result<Vec<String>> {
    let pass = PassSpec::new("pad_channels").with("multiple", multiple.to_string());
    let plan = plan(registry, &PipelineSpec::from_iter([pass]))?;
    let (_, report) = Manager::new().run(&plan, graph, capabilities)?;
    let runs = report.passes.into_iter();
    let runs = runs.filter(|p| p.name == "pad_channels");
    Ok(runs
        .flat_map(|p| match p.rewrites {
            0 => p.reasons,
            n => [vec![format!("pads {n} layers")], p.notes].concat(),
        })
        .collect())
}

/// Returns the multiple that channel counts should have: the backend's, or the usual one.
pub fn wanted(capabilities: &Capabilities, op: &str, dtype: DType) -> usize {
    match capabilities.channel_multiple(op, dtype) {
        0 | 1 => USUAL_MULTIPLE,
        backends => backends,
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => 100.0 * part as f64 / whole as f64,
    }
}

impl MisalignedLayer {
    fn of(m: &Misaligned) -> Self {
        MisalignedLayer {
            layer: m.path.to_string(),
            op: m.op.clone(),
            side: m.side.to_string(),
            size: m.size,
            padded: m.padded,
            extra_flops: m.extra_flops,
            extra_bytes: m.extra_bytes,
            blocked: m.blocked,
        }
    }
}

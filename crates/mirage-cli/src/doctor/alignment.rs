//! `mirage doctor alignment`.

use clap::{Args, ValueEnum};
use mirage_ir::{DType, Graph, cost::graph_cost, target::Capabilities};
use mirage_pass::{Manager, PassSpec, PipelineSpec, Registry, plan};
use mirage_passes::alignment::{Misaligned, alignment};
use mirage_stream::capture_forward;
use serde::Serialize;

use crate::{
    args::{BackendArgs, ModelArgs, SizeArg, frame_size},
    error::{CliError, Ending, Result},
    output::Stream,
    table::{Align, Facts, Rows, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage doctor alignment --model lsd-tiny
  mirage doctor alignment --model stress --dtype fp16 --json";

/// What hardware wants, where the backend states nothing: rows of 16 bytes for tensor cores.
const USUAL_MULTIPLE: usize = 8;

/// A dtype as users call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    Fp32,
    Fp16,
    Bf16,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct AlignmentArgs {
    /// The dtype that the layers would run in
    #[arg(long, value_enum, default_value_t = Precision::Fp16)]
    dtype: Precision,
    /// The number that channel counts shall be a multiple of; by default the backend's, or else 8
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    multiple: Option<u16>,
    /// The frame's size in the model
    #[arg(long, value_name = "WxH")]
    size: Option<SizeArg>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// What was found, as JSON has it.
#[derive(Serialize)]
struct AlignmentJson {
    model: String,
    size: [usize; 2],
    dtype: String,
    layers: Vec<LayerJson>,
    extra_flops: u64,
    extra_flops_percent: f64,
    extra_bytes: u64,
    pad_channels: Vec<String>,
}

#[derive(Serialize)]
struct LayerJson {
    layer: String,
    op: String,
    side: String,
    size: usize,
    padded: usize,
    extra_flops: u64,
    extra_bytes: u64,
    blocked: Option<&'static str>,
}

impl AlignmentArgs {
    pub(super) fn run(&self) -> Result<()> {
        let config = self.model.config()?;
        let size = frame_size(self.size, &config)?;
        let capabilities = self.backend.resolve()?.capabilities(self.backend.device);
        let registry = Registry::linked().failure()?;
        let model = self.model.outline(&config)?;
        let captured = capture_forward(&model, 1, size).failure()?;
        let canonical = plan(&registry, &PipelineSpec::empty()).failure()?;
        let (graph, _) = Manager::new()
            .run(&canonical, &captured.graph, &capabilities)
            .failure()?;

        let dtype = self.dtype.dtype();
        let found = alignment(&graph, |op, _| self.wanted(&capabilities, op, dtype));
        let flops = graph_cost(&graph).flops;
        let report = AlignmentJson {
            model: config.name.clone(),
            size: [size.width, size.height],
            dtype: dtype.to_string(),
            extra_flops: found.iter().map(|m| m.extra_flops).sum(),
            extra_flops_percent: percent(found.iter().map(|m| m.extra_flops).sum(), flops),
            extra_bytes: found.iter().map(|m| m.extra_bytes).sum(),
            layers: found.iter().map(LayerJson::of).collect(),
            pad_channels: match found.is_empty() {
                true => Vec::new(),
                false => self.padding(&registry, &graph, &capabilities, dtype)?,
            },
        };
        match self.json {
            true => Stream::Stdout.emit_json(&report)?,
            false => report.print()?,
        }
        match report.layers.len() {
            0 => Ok(()),
            n => Err(CliError::Failure(format!(
                "{n} channel counts of {} miss their multiple: pad_channels can pad them, another width of the model avoids them",
                report.model
            ))),
        }
    }

    fn wanted(&self, capabilities: &Capabilities, op: &str, dtype: DType) -> usize {
        match self.multiple {
            Some(n) => usize::from(n),
            None => wanted(capabilities, op, dtype),
        }
    }

    /// What `pad_channels` says of the graph.
    fn padding(
        &self,
        registry: &Registry,
        graph: &Graph,
        capabilities: &Capabilities,
        dtype: DType,
    ) -> Result<Vec<String>> {
        let multiple = self.wanted(capabilities, "conv", dtype).to_string();
        let pass = PassSpec::new("pad_channels").with("multiple", multiple);
        let plan = plan(registry, &PipelineSpec::from_iter([pass])).failure()?;
        let (_, report) = Manager::new().run(&plan, graph, capabilities).failure()?;
        let runs = report
            .passes
            .into_iter()
            .filter(|p| p.name == "pad_channels");
        Ok(runs
            .flat_map(|p| match p.rewrites {
                0 => p.reasons,
                n => [vec![format!("pads {n} layers")], p.notes].concat(),
            })
            .collect())
    }
}

impl Precision {
    fn dtype(self) -> DType {
        match self {
            Precision::Fp32 => DType::F32,
            Precision::Fp16 => DType::F16,
            Precision::Bf16 => DType::BF16,
        }
    }
}

/// The number that channel counts shall be a multiple of: the backend's, or else what is usual.
pub(super) fn wanted(capabilities: &Capabilities, op: &str, dtype: DType) -> usize {
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

impl LayerJson {
    fn of(m: &Misaligned) -> Self {
        LayerJson {
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

impl AlignmentJson {
    fn print(&self) -> Result<()> {
        let [width, height] = self.size;
        let mut facts = Facts::new(Stream::Stdout);
        facts.fact(
            "model",
            format!("{} at {width}x{height}, in {}", self.model, self.dtype),
        );
        if self.layers.is_empty() {
            facts.fact(
                "alignment",
                "every channel count is a multiple of what the hardware wants",
            );
            return Stream::Stdout.emit(&facts.to_string());
        }
        let columns = [
            ("layer", Align::Left),
            ("operation", Align::Left),
            ("side", Align::Left),
            ("channels", Align::Right),
            ("padded", Align::Right),
            ("FLOPs more", Align::Right),
            ("bytes more", Align::Right),
        ];
        let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(1..7);
        for m in &self.layers {
            rows.row([
                text(&m.layer),
                text(&m.op),
                text(&m.side),
                text(m.size),
                text(m.padded),
                text(
                    m.blocked
                        .map_or_else(|| units::flops(m.extra_flops), str::to_owned),
                ),
                text(units::bytes(m.extra_bytes)),
            ]);
        }
        facts.fact(
            "together",
            format!(
                "{} more a forward pass ({:.1} %), {} more to move",
                units::flops(self.extra_flops),
                self.extra_flops_percent,
                units::bytes(self.extra_bytes)
            ),
        );
        for line in &self.pad_channels {
            facts.fact("pad_channels", line);
        }
        Stream::Stdout.emit(&format!("{rows}\n{facts}"))
    }
}

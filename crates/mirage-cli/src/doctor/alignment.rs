//! `mirage doctor alignment`.

use clap::{Args, ValueEnum};
use mirage_ir::DType;
use mirage_lab::doctor::{AlignmentReport, misaligned};
use mirage_pass::Registry;
use mirage_stream::SamplerConfig;

use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, Request, SizeArg},
    error::{CliError, Ending, Result},
    output::Stream,
    table::{Align, Facts, Rows, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage doctor alignment --model lsd-tiny
  mirage doctor alignment --model stress --dtype fp16 --json";

/// The dtype argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    Fp32,
    Fp16,
    Bf16,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct AlignmentArgs {
    /// The dtype to check for
    #[arg(long, value_enum, default_value_t = Precision::Fp16)]
    dtype: Precision,
    /// The multiple that channel counts should have [default: the backend's, or 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    multiple: Option<u16>,
    /// The size of a frame in the model [default: the model's]
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

impl AlignmentArgs {
    pub(super) fn run(&self) -> Result<()> {
        let frame = FrameArgs {
            size: self.size,
            steps: SamplerConfig::default().steps,
        };
        let registry = Registry::linked().failure()?;
        let job = Request::new(&self.model, &frame, None, &self.backend).resolve(&registry)?;
        let multiple = self.multiple.map(usize::from);
        let report = misaligned(&job, &registry, self.dtype.dtype(), multiple)?;
        match self.json {
            true => Stream::Stdout.emit_json(&report)?,
            false => print(&report)?,
        }
        match report.layers.len() {
            0 => Ok(()),
            n => Err(CliError::failure(format!(
                "{n} channel counts of {} are not aligned; pad them with --passes pad_channels, or change the width of the model",
                report.model
            ))),
        }
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

fn print(report: &AlignmentReport) -> Result<()> {
    let [width, height] = report.size;
    let mut facts = Facts::new(Stream::Stdout);
    facts.fact(
        "model",
        format!("{} at {width}x{height}, in {}", report.model, report.dtype),
    );
    if report.layers.is_empty() {
        facts.fact("alignment", "every channel count is aligned");
        return Stream::Stdout.emit(&facts.to_string());
    }
    let columns = [
        ("layer", Align::Left),
        ("operation", Align::Left),
        ("side", Align::Left),
        ("channels", Align::Right),
        ("padded", Align::Right),
        ("extra FLOPs", Align::Right),
        ("extra bytes", Align::Right),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(1..7);
    for m in &report.layers {
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
        "total",
        format!(
            "{} extra per forward pass ({:.1} %), {} extra to move",
            units::flops(report.extra_flops),
            report.extra_flops_percent,
            units::bytes(report.extra_bytes)
        ),
    );
    for line in &report.pad_channels {
        facts.fact("pad_channels", line);
    }
    Stream::Stdout.emit(&format!("{rows}\n{facts}"))
}

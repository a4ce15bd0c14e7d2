//! `mirage doctor`.

mod abilities;
mod alignment;
mod checkup;
mod hardware;
mod probe;

use std::time::Duration;

use clap::{Args, Subcommand};
use mirage_bench::machine::{RateOptions, Watch, measure_rates};
use mirage_ir::{DType, Graph, cost::graph_cost};
use mirage_model::ModelConfig;
use mirage_pass::{Manager, PipelineSpec, Registry, plan};
use mirage_passes::alignment::alignment;
use mirage_stream::{capture_forward, capture_frame};
use serde::Serialize;

use self::{
    abilities::{Ability, Idle, abilities},
    alignment::{AlignmentArgs, wanted},
    checkup::{Checkup, PassCheck, Precision},
    hardware::Hardware,
};
use crate::{
    args::{BackendArgs, FrameArgs, ModelArgs, time},
    error::{Ending, Result},
    output::Stream,
    progress::Progress,
    subjects::Bench,
    table::{Facts, bold},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage doctor                              the machine, the backends, and what helps lsd-tiny here
  mirage doctor --measure --model lsd-light  the same, measured
  mirage doctor --json | jq '.passes[] | select(.expectation == \"may_help\").pass'
  mirage doctor alignment --model lsd-tiny   channel counts that miss the hardware's multiple";

/// What tells it from other JSON.
const FORMAT: &str = "mirage-doctor";
/// The version of the schema; grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;
/// How long the load is watched before anything runs.
const LOOK: Duration = Duration::from_millis(300);
/// A dtype pays off in a product that is faster by this share in it.
const PAYS: f64 = 1.05;

/// What this machine and its backends can do, which passes help a model here, and why
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct DoctorArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    check: CheckArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Layers whose channel counts miss the hardware's multiple; exits with 1 if there are any
    Alignment(Box<AlignmentArgs>),
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Measure too: arithmetic and memory of the machine, operations of each backend, a frame with each
    /// pass
    #[arg(long)]
    measure: bool,
    /// The time for frames with --measure: seconds, or with a unit
    #[arg(long, value_name = "TIME", default_value = "20s", requires = "measure", value_parser = time)]
    time: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    frame: FrameArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    backend: BackendArgs,
}

/// Everything, as JSON has it.
#[derive(Serialize)]
struct Report {
    format: &'static str,
    schema: u32,
    mirage: &'static str,
    #[serde(flatten)]
    hardware: Hardware,
    backends: Vec<Ability>,
    backends_without_device: Vec<Idle>,
    model: ModelJson,
    passes: Vec<PassCheck>,
    precision: Precision,
    alignment: AlignmentSummary,
}

/// What the passes were tried on.
#[derive(Serialize)]
struct ModelJson {
    name: String,
    size: [usize; 2],
    steps: usize,
    backend: &'static str,
    device: usize,
}

/// Channel counts of the model that miss their multiple in the recommended dtype.
#[derive(Serialize)]
struct AlignmentSummary {
    dtype: DType,
    misaligned: usize,
    /// What zeros up to the multiple would add to a forward pass.
    extra_flops_percent: f64,
}

impl DoctorArgs {
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        match &self.action {
            Some(Action::Alignment(args)) => args.run(),
            None => self.check.run(quiet_log),
        }
    }
}

impl CheckArgs {
    fn run(&self, quiet_log: bool) -> Result<()> {
        let config = self.model.config()?;
        let (size, trajectory) = self.frame.resolve(&config)?;
        let registry = Registry::linked().failure()?;
        let backend = self.backend.resolve()?;
        let capabilities = backend.capabilities(self.backend.device);

        let progress = Progress::new(quiet_log);
        let stage = progress.stage("looking at the machine");
        let load = Watch::during(LOOK);
        let rates = self.measure.then(|| measure_rates(&RateOptions::default()));
        let mut hardware = Hardware::new(load, rates.transpose().failure()?);
        drop(stage);
        let mut stage = progress.stage("asking the backends");
        let mut tell = |what: String| stage = progress.stage(what);
        let (backends, idle) = abilities(self.measure, &mut tell);
        drop(stage);

        let stage = progress.stage(format!("trying passes on {}", config.name));
        let model = match self.measure {
            true => self.model.build(&config)?,
            false => self.model.outline(&config)?,
        };
        let captured = capture_frame(&model, size, &trajectory).failure()?;
        drop(model);
        let checkup = Checkup {
            registry: &registry,
            capabilities: &capabilities,
            graph: &captured.graph,
        };
        let mut passes = checkup.passes();
        let mut precision = checkup.precision()?;
        if self.measure {
            let bench = Bench {
                size,
                captured: &captured,
                backend,
                options: self.backend.options(),
                seed: self.model.seed,
                frames: 2,
            };
            if let Err(why) = checkup::time(&mut passes, &bench, &registry, self.time) {
                hardware.warn(format!("passes were not measured: {why}"));
            }
            let name = backend.info().name;
            let here = backends.iter().find(|a| a.is(name, self.backend.device));
            precision.reasons.extend(here.and_then(products));
        }
        let forward = self.forward(&config, size, &registry)?;
        drop(stage);
        let report = Report {
            format: FORMAT,
            schema: SCHEMA,
            mirage: env!("CARGO_PKG_VERSION"),
            hardware,
            backends,
            backends_without_device: idle,
            model: ModelJson {
                name: config.name.clone(),
                size: [size.width, size.height],
                steps: self.frame.steps,
                backend: backend.info().name,
                device: self.backend.device,
            },
            passes,
            alignment: AlignmentSummary::of(&forward, precision.dtype, |op, dtype| {
                wanted(&capabilities, op, dtype)
            }),
            precision,
        };
        match self.json {
            true => Stream::Stdout.emit_json(&report),
            false => Stream::Stdout.emit(&report.text(&self.model.model, self.measure)),
        }
    }

    /// One forward pass, canonical: what alignment looks at.
    fn forward(
        &self,
        config: &ModelConfig,
        size: mirage_model::Size,
        registry: &Registry,
    ) -> Result<Graph> {
        let model = self.model.outline(config)?;
        let captured = capture_forward(&model, 1, size).failure()?;
        let canonical = plan(registry, &PipelineSpec::empty()).failure()?;
        let capabilities = self.backend.resolve()?.capabilities(self.backend.device);
        let (graph, _) = Manager::new()
            .run(&canonical, &captured.graph, &capabilities)
            .failure()?;
        Ok(graph)
    }
}

/// How fast products are in half precision against f32, as measured.
fn products(ability: &Ability) -> Option<String> {
    let f32 = ability.measured("linear", DType::F32)?.gflops;
    let halves = [DType::BF16, DType::F16].into_iter();
    let halves = halves.filter_map(|d| Some((d, ability.measured("linear", d)?.gflops / f32)));
    let halves: Vec<(DType, f64)> = halves.collect();
    if halves.is_empty() {
        return None;
    }
    let ratios: Vec<String> = halves
        .iter()
        .map(|(d, r)| format!("{r:.2}× of f32 in {d}"))
        .collect();
    let pays = match halves.iter().any(|(_, ratio)| *ratio >= PAYS) {
        true => "half precision pays off in products",
        false => "half precision does not pay off in products",
    };
    Some(format!(
        "measured: linear runs at {}: {pays}",
        ratios.join(", ")
    ))
}

impl AlignmentSummary {
    fn of(graph: &Graph, dtype: DType, multiple: impl Fn(&str, DType) -> usize) -> Self {
        let found = alignment(graph, |op, _| multiple(op, dtype));
        let extra: u64 = found.iter().map(|m| m.extra_flops).sum();
        let flops = graph_cost(graph).flops.max(1);
        AlignmentSummary {
            dtype,
            misaligned: found.len(),
            extra_flops_percent: 100.0 * extra as f64 / flops as f64,
        }
    }

    fn words(&self, model: &str) -> String {
        match self.misaligned {
            0 => format!(
                "every channel count is a multiple of what is wanted in {}",
                self.dtype
            ),
            n => format!(
                "{} off what is wanted in {}, {:.1} % more operations with zeros: mirage doctor alignment --model {model}",
                units::plural(n as u64, "channel count"),
                self.dtype,
                self.extra_flops_percent
            ),
        }
    }
}

impl Report {
    fn text(&self, model: &str, measured: bool) -> String {
        let mut out = self.hardware.facts().to_string();
        for ability in &self.backends {
            out.push_str(&format!("\n{}", ability.table()));
        }
        for idle in &self.backends_without_device {
            out.push_str(&format!("\n{}", idle.line()));
        }
        let [width, height] = self.model.size;
        out.push_str(&format!(
            "\n{} at {width}x{height}, {} a frame, on {}\n\n{}",
            self.model.name,
            units::plural(self.model.steps as u64, "step"),
            self.model.backend,
            checkup::table(&self.passes)
        ));
        let mut facts = Facts::new(Stream::Stdout);
        facts.styled("precision", bold(self.precision.dtype));
        for reason in &self.precision.reasons {
            facts.fact("", reason);
        }
        facts.fact("alignment", self.alignment.words(model));
        facts.fact(
            "next",
            match measured {
                true => format!("mirage tune --model {model} finds the best set of them"),
                false => format!("mirage doctor --measure --model {model} measures all this"),
            },
        );
        format!("{out}\n{facts}")
    }
}

//! `mirage models`.

mod export;

use clap::{Args, Subcommand};
use mirage_ir::cost::graph_cost;
use mirage_model::{
    AnyModel, ModelConfig, Size, StreamModel, TensorSpec, named_parameters, presets,
};
use mirage_pass::{GraphSummary, Manager, PipelineSpec, Registry, plan};
use mirage_stream::{SamplerConfig, Trajectory, capture_forward, capture_frame};
use serde::Serialize;

use crate::{
    args::ModelArgs,
    error::{Ending, Result},
    files::Files,
    output::Stream,
    table::{Align, Facts, Rows, bold, text},
    units,
};

const EXAMPLES: &str = "\
Examples:
  mirage models list
  mirage models show lsd-light
  mirage models show lsd-tiny --set network.channels=32 --json
  mirage models export --model stress-light --output weights.safetensors";

/// List the models, show one, or export its weights
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every built-in model (the default action)
    List(ListArgs),
    /// Show one model: configuration, state and parameters by module
    Show(ShowArgs),
    /// Write the weights of a model to a file, with the names and layout of PyTorch or burn
    Export(export::ExportArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// A built-in model or a configuration file
    #[arg(value_name = "NAME|FILE.toml")]
    name: String,
    /// Override a value of the configuration, such as network.channels=24; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON, including every parameter
    #[arg(long)]
    json: bool,
}

/// A model, in JSON.
#[derive(Serialize)]
struct ModelJson {
    name: String,
    description: String,
    parameters: usize,
    weight_bytes: u64,
    size: Size,
    side_multiple: usize,
    flops_per_step: u64,
    flops_per_frame: u64,
    steps_per_frame: usize,
    state_bytes: u64,
    state: Vec<StateJson>,
}

#[derive(Serialize)]
struct StateJson {
    name: String,
    dtype: String,
    shape: Vec<usize>,
    bytes: u64,
}

/// [`ModelJson`] and the details of `show`.
#[derive(Serialize)]
struct ModelDetailJson {
    #[serde(flatten)]
    summary: ModelJson,
    config: ModelConfig,
    parameter_list: Vec<ParameterJson>,
}

#[derive(Serialize)]
struct ParameterJson {
    path: String,
    shape: Vec<usize>,
    count: usize,
}

impl ModelsArgs {
    /// The files that are read and written.
    pub(crate) fn files(&self) -> Files {
        match &self.action {
            Some(Action::Export(args)) => args.files(),
            _ => Files::default(),
        }
    }

    pub(crate) fn run(&self) -> Result<()> {
        match &self.action {
            None => list(&self.list),
            Some(Action::List(args)) => list(args),
            Some(Action::Show(args)) => show(args),
            Some(Action::Export(args)) => args.run(),
        }
    }
}

/// Returns the outline of a model: the numbers of `show` and `list` do not depend on weights.
fn load(name: &str, set: &[String]) -> Result<AnyModel> {
    let args = ModelArgs {
        model: name.to_owned(),
        set: set.to_vec(),
        weights: None,
        seed: 0,
    };
    args.outline(&args.config()?)
}

fn list(args: &ListArgs) -> Result<()> {
    let models = presets()
        .iter()
        .map(|preset| summarize(&load(preset.name, &[])?));
    let models = models.collect::<Result<Vec<_>>>()?;
    if args.json {
        return Stream::Stdout.emit_json(&models);
    }
    let columns = [
        ("model", Align::Left),
        ("parameters", Align::Right),
        ("weights", Align::Right),
        ("size", Align::Right),
        ("per step", Align::Right),
        ("per frame", Align::Right),
        ("state", Align::Right),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..7);
    let mut facts = Facts::new(Stream::Stdout);
    for m in &models {
        facts.fact(&m.name, &m.description);
        rows.row([
            bold(&m.name),
            text(units::count(m.parameters as u64)),
            text(units::bytes(m.weight_bytes)),
            text(format!("{}x{}", m.size.width, m.size.height)),
            text(units::flops(m.flops_per_step)),
            text(units::flops(m.flops_per_frame)),
            text(units::bytes(m.state_bytes)),
        ]);
    }
    let steps = SamplerConfig::default().steps;
    Stream::Stdout.emit(&format!(
        "{rows}\n{facts}\nCosts per frame are for {steps} steps, the default of --steps.\n"
    ))
}

fn show(args: &ShowArgs) -> Result<()> {
    let model = load(&args.name, &args.set)?;
    let summary = summarize(&model)?;
    if args.json {
        let parameter = |p: mirage_model::ParameterInfo| ParameterJson {
            path: p.path,
            shape: p.shape,
            count: p.count,
        };
        return Stream::Stdout.emit_json(&ModelDetailJson {
            summary,
            config: model.config().clone(),
            parameter_list: named_parameters(&model)
                .into_iter()
                .map(parameter)
                .collect(),
        });
    }
    let config = model.config().to_toml().failure()?;
    let out = format!(
        "{}\n{}\n{}\nConfiguration (override a value with --set KEY=VALUE):\n\n{}",
        about(&summary),
        states(&summary),
        modules(&model),
        indent(&config)
    );
    Stream::Stdout.emit(&out)
}

fn summarize(model: &AnyModel) -> Result<ModelJson> {
    let config = model.config();
    let sampler = SamplerConfig::default();
    let trajectory = Trajectory::plan(&config.schedule, &sampler).failure()?;
    let step = canonical(&capture_forward(model, 1, config.size).failure()?)?;
    let frame = canonical(&capture_frame(model, config.size, &trajectory).failure()?)?;
    let state: Vec<StateJson> = model.state_specs(1).iter().map(state).collect();
    Ok(ModelJson {
        name: config.name.clone(),
        description: config.description.clone(),
        parameters: mirage_model::parameter_count(model),
        weight_bytes: frame.weight_bytes,
        size: config.size,
        side_multiple: config.side_multiple(),
        flops_per_step: step.flops,
        flops_per_frame: frame.flops,
        steps_per_frame: sampler.steps,
        state_bytes: state.iter().map(|s| s.bytes).sum(),
        state,
    })
}

/// Returns the cost of a captured program after the passes that always run.
fn canonical(captured: &mirage_capture::Captured) -> Result<GraphSummary> {
    let plan = plan(&Registry::linked().failure()?, &PipelineSpec::empty()).failure()?;
    let (graph, report) = Manager::new()
        .run(&plan, &captured.graph, &Default::default())
        .failure()?;
    debug_assert_eq!(report.after.flops, graph_cost(&graph).flops);
    Ok(report.after)
}

fn state(spec: &TensorSpec) -> StateJson {
    let count: usize = spec.shape.iter().product();
    StateJson {
        name: spec.name.clone(),
        dtype: format!("{:?}", spec.dtype).to_lowercase(),
        bytes: (count * spec.dtype.size()) as u64,
        shape: spec.shape.clone(),
    }
}

fn about(m: &ModelJson) -> Facts {
    let mut facts = Facts::new(Stream::Stdout);
    facts.styled("model", bold(&m.name));
    facts.fact("", &m.description);
    facts.fact(
        "parameters",
        format!(
            "{} ({} as f32)",
            units::count(m.parameters as u64),
            units::bytes(m.weight_bytes)
        ),
    );
    let Size { width, height } = m.size;
    facts.fact(
        "size",
        format!(
            "{width}x{height} by default; width and height must be multiples of {}",
            m.side_multiple
        ),
    );
    facts.fact(
        "cost",
        format!(
            "{} per step, {} per frame of {} steps",
            units::flops(m.flops_per_step),
            units::flops(m.flops_per_frame),
            m.steps_per_frame
        ),
    );
    facts
}

fn states(m: &ModelJson) -> Rows {
    let columns = [
        ("state", Align::Left),
        ("type", Align::Left),
        ("bytes", Align::Right),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns);
    for s in &m.state {
        rows.row([
            text(&s.name),
            text(format!("{}{:?}", s.dtype, s.shape)),
            text(units::bytes(s.bytes)),
        ]);
    }
    rows
}

/// Lists parameters by the first part of their path.
fn modules(model: &AnyModel) -> Rows {
    let columns = [
        ("module", Align::Left),
        ("tensors", Align::Right),
        ("parameters", Align::Right),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns);
    let mut modules: Vec<(String, usize, usize)> = Vec::new();
    for p in named_parameters(model) {
        let name = p.path.split('.').next().unwrap_or_default();
        match modules.iter_mut().find(|m| m.0 == name) {
            Some(module) => {
                module.1 += 1;
                module.2 += p.count;
            }
            None => modules.push((name.to_owned(), 1, p.count)),
        }
    }
    for (name, tensors, count) in modules {
        rows.row([text(name), text(tensors), text(units::count(count as u64))]);
    }
    rows
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("  {line}\n")
            }
        })
        .collect()
}

//! `mirage passes`.

use clap::{Args, Subcommand};
use mirage_backend::Backend;
use mirage_ir::target::{Capabilities, Support};
use mirage_pass::{Need, PassInfo, Registry};
use mirage_passes::pipelines::PIPELINES;
use mirage_plugin::host::{Origin, origin_of_pass};
use serde::Serialize;

use crate::{
    args::BackendArgs,
    error::{CliError, Ending, Result},
    origin::OriginJson,
    output::Stream,
    table::{Align, Facts, Rows, bad, bold, dim, good, text},
};

const EXAMPLES: &str = "\
Examples:
  mirage passes list
  mirage passes show fp16
  mirage passes pipelines
  mirage passes list --json | jq -r '.[].name'";

/// List the optimization passes, or show one with its options
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct PassesArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every pass (the default action)
    List(ListArgs),
    /// Show one pass: options with defaults, ordering rules and required capabilities
    Show(ShowArgs),
    /// List the named pipelines for --pipeline
    Pipelines(PipelinesArgs),
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    backend: BackendArgs,
}

#[derive(Args, Debug)]
struct ShowArgs {
    /// Name of the pass
    name: String,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Args, Debug)]
struct PipelinesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A named pipeline, in JSON.
#[derive(Serialize)]
struct PipelineJson {
    name: &'static str,
    summary: &'static str,
    /// The passes, in the form of `--passes`.
    passes: String,
}

/// A pass, in JSON.
#[derive(Serialize)]
struct PassJson {
    #[serde(flatten)]
    info: &'static PassInfo,
    origin: OriginJson,
    /// The capabilities that it uses, on the chosen backend.
    capabilities: Vec<NeedJson>,
}

#[derive(Serialize)]
struct NeedJson {
    #[serde(flatten)]
    need: Need,
    /// `fast`, `slow`, or null where the backend cannot run it.
    support: Option<Support>,
}

impl PassesArgs {
    pub(crate) fn run(&self) -> Result<()> {
        let registry = Registry::linked().failure()?;
        match &self.action {
            None => list(&registry, &self.list),
            Some(Action::List(args)) => list(&registry, args),
            Some(Action::Show(args)) => show(&registry, args),
            Some(Action::Pipelines(args)) => pipelines(args),
        }
    }
}

fn list(registry: &Registry, args: &ListArgs) -> Result<()> {
    let backend = args.backend.resolve()?;
    let capabilities = backend.capabilities(args.backend.device);
    if args.json {
        let all: Vec<_> = registry
            .infos()
            .map(|info| json(info, &capabilities))
            .collect();
        return Stream::Stdout.emit_json(&all);
    }
    let columns = [
        ("pass", Align::Left),
        ("phase", Align::Left),
        ("numerics", Align::Left),
        ("description", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..2);
    let mut infos: Vec<_> = registry.infos().collect();
    infos.sort_by_key(|info| (info.phase, info.name));
    for info in infos {
        let mut about = info.summary.to_owned();
        if info.always {
            about.push_str(" (always runs)");
        }
        if let Origin::Plugin(plugin) = origin_of_pass(info.name) {
            about.push_str(&format!(" ({plugin})"));
        }
        rows.row([
            bold(info.name),
            text(info.phase),
            text(info.numerics),
            text(about),
        ]);
    }
    Stream::Stdout.emit(&format!(
        "{rows}\nRun `mirage passes show NAME` for options, ordering rules and capabilities.\n"
    ))
}

fn show(registry: &Registry, args: &ShowArgs) -> Result<()> {
    let Some(pass) = registry.get(&args.name) else {
        let advice = registry.advice(&args.name);
        return Err(CliError::usage(format!(
            "unknown pass `{}`: {advice}",
            args.name
        )));
    };
    let backend = args.list.backend.resolve()?;
    let capabilities = backend.capabilities(args.list.backend.device);
    let info = pass.info();
    if args.list.json {
        return Stream::Stdout.emit_json(&json(info, &capabilities));
    }
    let mut out = about(info).to_string();
    if !info.needs.is_empty() {
        out.push_str(&format!("\n{}", needs(info, backend, &capabilities)));
    }
    if !info.options.is_empty() {
        out.push_str(&format!("\n{}", options(info)));
    }
    out.push_str(&format!("\nmirage run --passes {}\n", example(info)));
    Stream::Stdout.emit(&out)
}

fn pipelines(args: &PipelinesArgs) -> Result<()> {
    let all = PIPELINES.iter().map(|pipeline| {
        Ok(PipelineJson {
            name: pipeline.name,
            summary: pipeline.summary(),
            passes: pipeline.spec().failure()?.to_string(),
        })
    });
    let all: Vec<PipelineJson> = all.collect::<Result<_>>()?;
    if args.json {
        return Stream::Stdout.emit_json(&all);
    }
    let columns = [
        ("pipeline", Align::Left),
        ("description", Align::Left),
        ("passes", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..1);
    for pipeline in &all {
        rows.row([
            bold(pipeline.name),
            text(pipeline.summary),
            text(pipeline.passes.replace(',', ", ")),
        ]);
    }
    Stream::Stdout.emit(&format!(
        "{rows}\nUse one with `--pipeline NAME`, or run `mirage tune` to find the fastest set for this machine.\n"
    ))
}

fn json(info: &'static PassInfo, capabilities: &Capabilities) -> PassJson {
    let need = |need: &Need| NeedJson {
        need: need.clone(),
        support: need.support(capabilities),
    };
    PassJson {
        info,
        origin: origin_of_pass(info.name).into(),
        capabilities: info.needs.iter().map(need).collect(),
    }
}

fn about(info: &PassInfo) -> Facts {
    let mut facts = Facts::new(Stream::Stdout);
    facts.styled("pass", bold(info.name));
    facts.fact("", info.summary);
    facts.fact("version", info.version);
    if let origin @ Origin::Plugin(_) = origin_of_pass(info.name) {
        facts.fact("from", origin);
    }
    facts.fact("phase", info.phase);
    facts.fact("numerics", info.numerics);
    if info.always {
        facts.fact("runs", "always");
    }
    if info.changes_interface {
        facts.fact(
            "interface",
            "may change the types of inputs, outputs and states",
        );
    }
    let lists = [
        ("tags", info.tags),
        ("requires", info.requires),
        ("conflicts", info.conflicts),
        ("after", info.after),
        ("before", info.before),
    ];
    for (name, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        facts.fact(name, names.join(", "));
    }
    facts
}

fn needs(info: &PassInfo, backend: &dyn Backend, capabilities: &Capabilities) -> Rows {
    let on = format!("on {}", backend.info().name);
    let mut rows = Rows::new(Stream::Stdout, &[("uses", Align::Left), (&on, Align::Left)]);
    for need in info.needs {
        let answer = match need.support(capabilities) {
            Some(Support::Fast) => good("fast"),
            Some(Support::Slow) => bad("slow: supported, but without a fast path"),
            None => bad("unsupported"),
        };
        rows.row([text(need), answer]);
    }
    rows
}

fn options(info: &PassInfo) -> Rows {
    let columns = [
        ("option", Align::Left),
        ("default", Align::Left),
        ("values", Align::Left),
        ("description", Align::Left),
    ];
    let mut rows = Rows::new(Stream::Stdout, &columns).keep_whole(0..1);
    for option in info.options {
        let default = match option.default {
            "" => dim("none"),
            default => text(default.replace('+', " + ")),
        };
        rows.row([
            bold(option.name),
            default,
            text(option.kind),
            text(option.doc),
        ]);
    }
    rows
}

/// Returns the pass as on a command line, with its first option at its default.
fn example(info: &PassInfo) -> String {
    match info.options.first() {
        Some(option) if !option.default.is_empty() => {
            let spec = mirage_pass::PassSpec::new(info.name).with(option.name, option.default);
            format!("'{spec}'")
        }
        _ => info.name.to_owned(),
    }
}

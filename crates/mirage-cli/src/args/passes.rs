//! `--passes` and `--pipeline`.

use std::io::ErrorKind;

use clap::Args;
use mirage_pass::{Numerics, PipelineSpec, Plan, Registry, Reproducer, plan, plan_in_order};
use mirage_passes::pipelines::{PIPELINES, find};

use crate::{
    error::{CliError, Ending, Result},
    files::Files,
};

/// The passes to run.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Passes")]
pub(crate) struct PassArgs {
    /// Passes to run, with options, such as `fp16{keep=norm+softmax},channels_last,sdpa`. They are put
    /// into a legal order. Canonicalization and cleanup always run
    #[arg(
        long,
        value_name = "PASSES",
        default_value = "",
        hide_default_value = true
    )]
    passes: String,
    /// Run a named pipeline (see `mirage passes pipelines`) or the passes of a TOML file:
    /// `passes = ["sdpa", { name = "fp16", keep = ["norm"] }]`
    #[arg(long, value_name = "NAME|FILE.toml", conflicts_with = "passes")]
    pipeline: Option<String>,
    /// Run exactly the passes that are named, in this order; an illegal order is an error
    #[arg(long)]
    keep_order: bool,
}

impl PassArgs {
    /// The file that is read.
    pub(crate) fn files(&self) -> Files {
        let file = self.pipeline.as_ref().filter(|name| find(name).is_none());
        Files::default().reads("--pipeline", file)
    }

    /// Returns whether exactly the named passes run, in their order.
    pub(crate) fn keeps_order(&self) -> bool {
        self.keep_order
    }

    /// Returns the passes as requested.
    pub(crate) fn spec(&self) -> Result<PipelineSpec> {
        let Some(name) = &self.pipeline else {
            return self
                .passes
                .parse()
                .map_err(|e| CliError::usage(format!("--passes: {e}")));
        };
        if let Some(pipeline) = find(name) {
            return pipeline.spec().failure();
        }
        let text = match std::fs::read_to_string(name) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound && !name.contains(['.', '/', '\\']) => {
                let advice = mirage_suggest::advice(name, PIPELINES.iter().map(|p| p.name));
                return Err(CliError::usage(format!(
                    "--pipeline: `{name}` is neither a named pipeline nor a file: {advice}"
                )));
            }
            Err(e) => {
                return Err(CliError::failure(format!(
                    "--pipeline: cannot read {name}: {e}; pass a named pipeline (mirage passes list) or an existing .toml file"
                )));
            }
        };
        // A reproducer names the passes that failed.
        if let Ok(reproducer) = Reproducer::from_toml(&text) {
            return Ok(reproducer.passes);
        }
        PipelineSpec::from_toml(&text).map_err(|e| CliError::failure(format!("{name}: {e}")))
    }

    /// Returns the plan of the passes that run.
    pub(crate) fn plan(&self, registry: &Registry, asked: &PipelineSpec) -> Result<Plan> {
        match self.keep_order {
            true => plan_in_order(registry, asked),
            false => plan(registry, asked),
        }
        .usage()
    }
}

/// Returns the requested passes that lower precision.
pub(crate) fn lowering(asked: &PipelineSpec) -> Vec<&str> {
    let registry = Registry::linked().ok();
    let lowers = |name: &str| {
        let pass = registry.as_ref().and_then(|registry| registry.get(name));
        pass.is_some_and(|pass| {
            matches!(
                pass.info().numerics,
                Numerics::LowersPrecision { .. } | Numerics::Lossy { .. }
            )
        })
    };
    let names = asked.passes.iter().map(|pass| pass.name());
    names.filter(|name| lowers(name)).collect()
}

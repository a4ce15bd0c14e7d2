//! Which passes.

use std::path::PathBuf;

use clap::Args;
use mirage_pass::{PipelineSpec, Plan, Registry, plan, plan_in_order};

use crate::error::{CliError, Ending, Result};

/// Which passes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Passes")]
pub(crate) struct PassArgs {
    /// Passes with their options, such as `fp16{keep=norm+softmax},channels_last,sdpa`; put into a
    /// legal order. Canonicalization and cleanup always run
    #[arg(
        long,
        value_name = "PASSES",
        default_value = "",
        hide_default_value = true
    )]
    passes: String,
    /// Read the passes from a TOML file: `passes = ["sdpa", { name = "fp16", keep = ["norm"] }]`
    #[arg(long, value_name = "FILE.toml", conflicts_with = "passes")]
    pipeline: Option<PathBuf>,
    /// Run exactly the passes that are written, in their order; still checked
    #[arg(long)]
    keep_order: bool,
}

impl PassArgs {
    /// The passes as they were asked for.
    pub(crate) fn spec(&self) -> Result<PipelineSpec> {
        let Some(path) = &self.pipeline else {
            return self
                .passes
                .parse()
                .map_err(|e| CliError::Usage(format!("--passes: {e}")));
        };
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| CliError::Failure(format!("{name}: cannot read it: {e}")))?;
        PipelineSpec::from_toml(&text).map_err(|e| CliError::Failure(format!("{name}: {e}")))
    }

    /// The passes as they will run.
    pub(crate) fn plan(&self, registry: &Registry) -> Result<Plan> {
        let spec = self.spec()?;
        match self.keep_order {
            true => plan_in_order(registry, &spec),
            false => plan(registry, &spec),
        }
        .usage()
    }
}

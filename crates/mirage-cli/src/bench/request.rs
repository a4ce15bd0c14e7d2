//! Command line to a measurement.

use mirage_lab::ledger::{Options, Run, Sets};
use mirage_pass::{PipelineSpec, Registry};

use super::BenchArgs;
use crate::{
    args::Request,
    error::{CliError, Ending, Result},
};

impl BenchArgs {
    pub(super) fn request(&self) -> Result<Run> {
        if self.passes.keeps_order() {
            return Err(CliError::usage(
                "--keep-order cannot be used with bench, which puts every set of passes into a legal order",
            ));
        }
        let registry = Registry::linked().failure()?;
        let job = Request::new(&self.model, &self.frame, None, &self.backend).resolve(&registry)?;
        let mut sets = Sets::new(registry, self.passes.spec()?)?;
        for text in &self.row {
            let refuse = |why: String| CliError::usage(format!("--row {text}: {why}"));
            let (label, passes) = own_set(text).map_err(refuse)?;
            sets.add(label, passes).map_err(|e| refuse(e.to_string()))?;
        }
        if sets.is_empty() && !self.control && self.plant.is_empty() {
            return Err(CliError::usage(
                "no passes to measure; pass --passes, such as --passes sdpa,fuse (mirage passes lists all)",
            ));
        }
        Ok(Run {
            plan: sets.rows(self.shapley, self.control, self.plant.clone())?,
            job,
            sets,
            options: Options {
                time: self.time,
                processes: self.processes,
                frames: usize::from(self.frames),
            },
        })
    }
}

/// Parses `LABEL=PASSES`.
fn own_set(text: &str) -> Result<(&str, PipelineSpec), String> {
    let (label, passes) = text
        .split_once('=')
        .map(|(label, passes)| (label.trim(), passes))
        .filter(|(label, _)| !label.is_empty())
        .ok_or("expected LABEL=PASSES, such as mine=sdpa,fuse")?;
    let spec = passes.parse().map_err(|e| format!("{e}"))?;
    Ok((label, spec))
}

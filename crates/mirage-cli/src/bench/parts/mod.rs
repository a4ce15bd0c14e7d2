//! `mirage bench ops`, `attention` and `resolution`: benchmarks of parts of models.

mod attention;
mod ladder;
mod ops;
mod outputs;
mod resolution;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use clap::Subcommand;
use mirage_lab::sweep::Setting;

use crate::{
    error::{CliError, Result},
    files::Files,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Measure the operations of a model one by one: time, rates and share of the frame
    Ops(Box<ops::OpsArgs>),
    /// Measure attention over lengths and head dimensions: the fused operation against separate ones
    Attention(Box<attention::AttentionArgs>),
    /// Measure a model over resolutions: time, memory, operations, and their growth
    Resolution(Box<resolution::ResolutionArgs>),
}

impl Part {
    /// The files that are read and written.
    pub(super) fn files(&self) -> Files {
        match self {
            Part::Ops(args) => args.files(),
            Part::Attention(args) => args.files(),
            Part::Resolution(args) => args.files(),
        }
    }

    pub(super) fn run(&self, quiet_log: bool) -> Result<()> {
        match self {
            Part::Ops(args) => args.run(quiet_log),
            Part::Attention(args) => args.run(quiet_log),
            Part::Resolution(args) => args.run(quiet_log),
        }
    }
}

/// Returns whether to continue, depending on Ctrl-C.
fn flow(stop: &AtomicBool) -> ControlFlow<()> {
    match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Returns the error of an interrupt before anything was measured.
fn interrupted() -> CliError {
    CliError::interrupted("interrupted before anything was measured".to_owned())
}

/// Formats the remaining time for a progress bar.
fn left(time: Duration) -> String {
    format!("{} s left", time.as_secs())
}

/// Lists the warnings, one per line.
fn warnings(setting: &Setting) -> String {
    let lines = setting.warnings.iter().map(|w| format!("warning: {w}\n"));
    lines.collect()
}

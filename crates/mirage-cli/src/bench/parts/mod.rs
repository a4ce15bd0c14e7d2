//! `mirage bench ops`, `attention` and `resolution`: parts of models, measured by themselves.

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

use crate::error::{CliError, Result};

#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// A model's own operations, one by one: time, rates and share of the frame of each distinct shape
    Ops(Box<ops::OpsArgs>),
    /// Attention over lengths and head dimensions: the operation against its spelled-out form
    Attention(Box<attention::AttentionArgs>),
    /// A model over resolutions: time, memory, operations, and how they grow
    Resolution(Box<resolution::ResolutionArgs>),
}

impl Part {
    pub(super) fn run(&self, quiet_log: bool) -> Result<()> {
        match self {
            Part::Ops(args) => args.run(quiet_log),
            Part::Attention(args) => args.run(quiet_log),
            Part::Resolution(args) => args.run(quiet_log),
        }
    }
}

/// Whether to go on after Ctrl-C was or was not pressed.
fn flow(stop: &AtomicBool) -> ControlFlow<()> {
    match stop.load(Ordering::Relaxed) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// The end where Ctrl-C came before anything was measured.
fn interrupted() -> CliError {
    CliError::interrupted("interrupted before anything was measured".to_owned())
}

/// The time left, for a progress bar.
fn left(time: Duration) -> String {
    format!("{} s left", time.as_secs())
}

/// What makes times doubtful, a line each.
fn warnings(setting: &Setting) -> String {
    let lines = setting.warnings.iter().map(|w| format!("warning: {w}\n"));
    lines.collect()
}

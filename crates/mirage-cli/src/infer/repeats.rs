//! Repeated execution of a forward pass, to measure its time.

use std::{io, time::Duration};

use clap::Args;

use crate::{
    error::{CliError, Result},
    output::Stream,
};

/// How often a forward pass is repeated.
#[derive(Args, Debug)]
pub(super) struct Repeats {
    /// Run N more times on the same inputs and memory, and print the times
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "lockstep"
    )]
    repeat: u32,
    /// After the output is written, run once for every line on standard input and print the time in
    /// milliseconds, to alternate with another program; stop at the end of the input
    #[arg(long)]
    lockstep: bool,
}

impl Repeats {
    /// Runs `once` as often as requested, and returns its times.
    pub(super) fn run(&self, mut once: impl FnMut() -> Result<Duration>) -> Result<Vec<Duration>> {
        if !self.lockstep {
            return (0..self.repeat).map(|_| once()).collect();
        }
        let turn = |line: io::Result<String>| {
            line.map_err(|e| CliError::failure(format!("cannot read standard input: {e}")))?;
            let time = once()?;
            Stream::Stdout.emit(&format!("{:.6}\n", time.as_secs_f64() * 1e3))?;
            Ok(time)
        };
        io::stdin().lines().map(turn).collect()
    }
}

//! When a forward pass is run again, for its time.

use std::{io, time::Duration};

use clap::Args;

use crate::{
    error::{CliError, Result},
    output::Stream,
};

/// How often.
#[derive(Args, Debug)]
pub(super) struct Repeats {
    /// Run N times more, on the same inputs and into the same memory, and tell the times
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        conflicts_with = "lockstep"
    )]
    repeat: u32,
    /// After the output is written, run once more for every line on standard input and answer with
    /// the milliseconds on a line, to take turns with another program; ends with the input
    #[arg(long)]
    lockstep: bool,
}

impl Repeats {
    /// Runs `once` as often as asked for, and gives its times.
    pub(super) fn run(&self, mut once: impl FnMut() -> Result<Duration>) -> Result<Vec<Duration>> {
        if !self.lockstep {
            return (0..self.repeat).map(|_| once()).collect();
        }
        let turn = |line: io::Result<String>| {
            line.map_err(|e| CliError::failure(format!("standard input cannot be read: {e}")))?;
            let time = once()?;
            Stream::Stdout.emit(&format!("{:.6}\n", time.as_secs_f64() * 1e3))?;
            Ok(time)
        };
        io::stdin().lines().map(turn).collect()
    }
}

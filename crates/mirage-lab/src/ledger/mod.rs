//! A ledger of a job: which sets of passes are measured, how, and what comes of it. docs/reference/ledger.md has
//! the rows, the fields and the statistics.

mod processes;
mod record;
mod sets;
mod take;

use std::time::Duration;

use mirage_bench::plan::Plan;

pub use self::{
    processes::{Start, Worker},
    sets::Sets,
    take::Taken,
};
use crate::Job;

/// What is measured, and for how long.
pub struct Run {
    /// The model, its frame and the backend; its passes are not looked at.
    pub job: Job,
    /// The passes and the sets of them.
    pub sets: Sets,
    /// The rows and the sets behind them.
    pub plan: Plan,
    /// How it is measured.
    pub options: Options,
}

/// How a ledger is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time for measuring, warm-up included.
    pub time: Duration,
    /// Processes that measure one after the other, and share the time.
    pub processes: u16,
    /// Frames of the closed loop whose last picture the error is of.
    pub frames: usize,
}

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
    take::Measurements,
};
use crate::Job;

/// A measurement of sets of passes.
pub struct Run {
    /// The model, its frame and the backend; the job's passes are ignored.
    pub job: Job,
    /// The passes and sets.
    pub sets: Sets,
    /// The rows and the sets behind them.
    pub plan: Plan,
    /// How it is measured.
    pub options: Options,
}

/// How a ledger is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The time budget for measuring, including warm-up.
    pub time: Duration,
    /// The number of processes that measure one after the other and share the time.
    pub processes: u16,
    /// Frames of the closed loop; the error is that of the last frame.
    pub frames: usize,
}

//! The time budget of a search.

use std::time::{Duration, Instant};

/// The time budget for everything, including building the model and compiling.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    start: Instant,
    total: Duration,
}

impl Budget {
    /// Starts the budget.
    pub(super) fn begin(total: Duration) -> Self {
        Budget {
            start: Instant::now(),
            total,
        }
    }

    pub(super) fn total(&self) -> Duration {
        self.total
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the remaining time, minus the time to compute the last intervals and print.
    pub(super) fn left(&self) -> Duration {
        let end = self.total.mul_f64(0.02).max(Duration::from_millis(500));
        self.total.saturating_sub(end + self.elapsed())
    }
}

//! The time that is given for everything.

use std::time::{Duration, Instant};

/// The time that is given for everything, building the model and compiling included, from the
/// command's start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    start: Instant,
    total: Duration,
}

impl Budget {
    /// Begins now.
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

    /// What can be spent: all but what it takes to draw the last intervals and to print.
    pub(super) fn left(&self) -> Duration {
        let end = self.total.mul_f64(0.02).max(Duration::from_millis(500));
        self.total.saturating_sub(end + self.elapsed())
    }
}

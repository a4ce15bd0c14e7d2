//! Time, as the budget sees it.

use std::time::{Duration, Instant};

/// Tells the time since some start. It bounds a measurement; the samples are the subjects' own.
pub trait Clock {
    /// The time now; never less than before.
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock, from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock(Instant);

impl Default for MonotonicClock {
    fn default() -> Self {
        MonotonicClock(Instant::now())
    }
}

impl Clock for MonotonicClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

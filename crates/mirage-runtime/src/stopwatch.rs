//! Stopwatches for profiles.

use std::time::{Duration, Instant};

/// Times instructions one after the other.
pub trait Stopwatch: Send {
    /// Called before an instruction runs.
    ///
    /// # Errors
    /// If the engine fails.
    fn start(&mut self) -> Result<(), String>;

    /// Called after an instruction, which may still run on the device: waits for it and returns its time.
    ///
    /// # Errors
    /// If the engine fails.
    fn stop(&mut self) -> Result<Duration, String>;
}

/// Uses the host's clock, from the call until `sync` returns.
pub(crate) struct HostStopwatch<F> {
    sync: F,
    began: Instant,
}

impl<F: Fn() -> Result<(), String>> HostStopwatch<F> {
    pub(crate) fn new(sync: F) -> Self {
        HostStopwatch {
            sync,
            began: Instant::now(),
        }
    }
}

impl<F: Fn() -> Result<(), String> + Send> Stopwatch for HostStopwatch<F> {
    fn start(&mut self) -> Result<(), String> {
        self.began = Instant::now();
        Ok(())
    }

    fn stop(&mut self) -> Result<Duration, String> {
        (self.sync)()?;
        Ok(self.began.elapsed())
    }
}

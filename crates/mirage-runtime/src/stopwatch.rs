//! How long instructions take.

use std::time::{Duration, Instant};

/// Times one instruction after the other.
pub trait Stopwatch: Send {
    /// Called before an instruction runs.
    ///
    /// # Errors
    /// The engine failed.
    fn start(&mut self) -> Result<(), String>;

    /// Called after it, with the device possibly still at work: waits for that, and tells the time.
    ///
    /// # Errors
    /// The engine failed.
    fn stop(&mut self) -> Result<Duration, String>;
}

/// The host's clock, from the call until `sync` says that the device is idle.
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

//! Progress of a driver, and how to stop it.

use std::time::Duration;

/// An event of a driver.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage of unknown length begins; the one before has ended.
    Stage(&'a str),
    /// A stage with this number of items begins.
    Counted(&'a str, u64),
    /// A stage with this time budget begins.
    Timed(&'a str, Duration),
    /// This number of items of the stage is done.
    Done(u64),
    /// This much of the stage's time has elapsed; the text says what the driver is doing.
    Elapsed(Duration, &'a str),
    /// The stage has ended.
    End,
    /// A line for the user, whether or not progress is shown.
    Note(&'a str),
}

/// Observes a driver.
pub trait Observer {
    /// Handles an event.
    fn tell(&self, event: Event<'_>);

    /// Returns whether the driver should stop as soon as possible: it then returns what it has, or
    /// [`LabError::Interrupted`](crate::LabError::Interrupted).
    fn stopped(&self) -> bool {
        false
    }
}

/// Ignores events and never stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn tell(&self, _event: Event<'_>) {}
}

impl dyn Observer + '_ {
    /// Returns whether to continue, for closures of [`mirage_bench`].
    pub fn flow(&self) -> std::ops::ControlFlow<()> {
        match self.stopped() {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }
}

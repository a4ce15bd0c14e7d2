//! How a driver tells what it is doing, and learns that it shall stop.

use std::time::Duration;

/// What a driver tells while it works.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage of unknown length begins; the one before has ended.
    Stage(&'a str),
    /// A stage of so many items begins.
    Counted(&'a str, u64),
    /// A stage of so much time begins.
    Timed(&'a str, Duration),
    /// So many items of the stage are done.
    Done(u64),
    /// So much of the stage's time is gone; the text is what the driver is at.
    Elapsed(Duration, &'a str),
    /// The stage has ended.
    End,
    /// A line for the user, whether or not progress is shown.
    Note(&'a str),
}

/// Who watches a driver.
pub trait Observer {
    /// Something happened.
    fn tell(&self, event: Event<'_>);

    /// Whether the driver shall stop where it can: it then returns what it has, or
    /// [`LabError::Interrupted`](crate::LabError::Interrupted).
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody watches, and nothing stops.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Observer for Quiet {
    fn tell(&self, _event: Event<'_>) {}
}

impl dyn Observer + '_ {
    /// What closures of [`mirage_bench`] answer to whether to go on.
    pub fn flow(&self) -> std::ops::ControlFlow<()> {
        match self.stopped() {
            true => std::ops::ControlFlow::Break(()),
            false => std::ops::ControlFlow::Continue(()),
        }
    }
}

//! Recordings of when each stage worked on each frame, for timelines.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A stage of a run; each has a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The source's thread: reading and decoding.
    Decode,
    /// The thread that called [`Pipeline::run`](crate::Pipeline::run): the processor.
    Run,
    /// The sink's thread: encoding and writing.
    Encode,
}

/// A stage's work on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The stage.
    pub stage: Stage,
    /// The frame's index in the source.
    pub frame: u64,
    /// The start.
    pub start: Instant,
    /// The duration, without waiting for a queue.
    pub time: Duration,
}

/// Collects the spans of a run's stages; a clone is a handle of the same recording.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Span>>>);

impl Recording {
    /// Returns the spans so far; those of one stage are in order.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn add(&self, span: Span) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(span);
    }
}

//! When every stage worked on every frame, for a timeline.

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

/// What a stage did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The stage.
    pub stage: Stage,
    /// The frame's index in the source.
    pub frame: u64,
    /// When it began.
    pub start: Instant,
    /// How long it took; waiting for room in a queue does not count.
    pub time: Duration,
}

/// Where the stages of a run put their spans; a clone is a handle of the same recording.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Span>>>);

impl Recording {
    /// What was recorded so far; spans of a stage are in order, stages come mixed.
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

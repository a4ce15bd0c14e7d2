//! Records the timeline of a short live run.

use std::time::{Duration, Instant};

use mirage_backend::NodeTime;
use mirage_video::{Pipeline, Progress, Recording, Sink, Source, Span};

use crate::{Session, StreamError, live::through};

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lap {
    /// What it was.
    pub what: &'static str,
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub time: Duration,
}

impl Lap {
    /// Does something and says when that was.
    pub(crate) fn of<T>(what: &'static str, work: impl FnOnce() -> T) -> (T, Lap) {
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        (result, Lap { what, start, time })
    }
}

/// The timeline of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameTrace {
    /// The frame's index in the source.
    pub frame: u64,
    /// The picture and the noise, to the device.
    pub upload: Lap,
    /// The execution; [`NodeTime::start`] counts from its start.
    pub execute: Lap,
    /// The output, from the device.
    pub download: Lap,
    /// Every node that ran something, in order.
    pub nodes: Vec<NodeTime>,
}

/// The timeline of a live run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// When it began.
    pub start: Instant,
    /// What each stage did with each frame.
    pub stages: Vec<Span>,
    /// Every frame that was run.
    pub frames: Vec<FrameTrace>,
}

/// Runs a source through a session into a sink, every frame profiled. A set stop flag of the
/// pipeline ends it early.
///
/// # Errors
/// If the source, the session or the sink fails.
pub fn trace_live(
    session: &mut Session,
    pipeline: &Pipeline,
    source: Box<dyn Source + Send>,
    sink: Box<dyn Sink + Send>,
    progress: impl FnMut(&Progress),
) -> Result<Trace, StreamError> {
    let record = Recording::default();
    let pipeline = Pipeline {
        record: Some(record.clone()),
        ..pipeline.clone()
    };
    let mut frames = Vec::new();
    let start = Instant::now();
    let outcome = through(
        session,
        &pipeline,
        source,
        sink,
        progress,
        |session, frame| {
            frames.push(session.profile(frame)?);
            Ok(())
        },
    )?;
    let _outcome = outcome.into_result()?;
    Ok(Trace {
        start,
        stages: record.spans(),
        frames,
    })
}

//! Three stages joined by bounded queues: decode (a thread), run (the calling thread, so an engine
//! need not be `Send`), encode (a thread).

mod ledger;
mod recording;
mod stages;

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::RecvTimeoutError;

use self::{
    ledger::Ledger,
    stages::{Decoding, Encoding},
};
pub use self::{
    ledger::{Accounting, Timings},
    recording::{Recording, Span, Stage},
};
use crate::{Error, Frame, Result, Sink, Source, Summary};

/// How often a waiting stage looks at the stop flag.
const TICK: Duration = Duration::from_millis(20);

/// What happens when frames come faster than they are processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The source waits: every frame is processed. For files.
    #[default]
    EveryFrame,
    /// The newest frame wins and older ones are skipped. For live input.
    Latest,
}

/// What a processor's error on one frame does to the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFrameError {
    /// End the run and throw the output away.
    #[default]
    Abort,
    /// Count the frame as failed and go on; it is missing in the output.
    Continue,
}

/// What a decode error in the middle (a truncated file) does to the frames before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSourceError {
    /// Throw the output away.
    #[default]
    Discard,
    /// Finish the output with the frames before the error. The error is reported all the same.
    Keep,
}

/// A run's settings.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// When frames come too fast.
    pub policy: Policy,
    /// Frames in each queue, at least 1. [`Policy::Latest`] keeps one frame waiting, always.
    pub capacity: usize,
    /// When the processor fails on a frame.
    pub on_frame_error: OnFrameError,
    /// When the source fails in the middle.
    pub on_source_error: OnSourceError,
    /// Set it (from a Ctrl-C handler, say) to end the run: the output is finished with the frames
    /// done so far, the waiting ones are skipped.
    pub stop: Arc<AtomicBool>,
    /// Where to record when each stage worked on each frame; `None` records nothing.
    pub record: Option<Recording>,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            capacity: 4,
            on_frame_error: OnFrameError::default(),
            on_source_error: OnSourceError::default(),
            stop: Arc::default(),
            record: None,
        }
    }
}

/// Where a run is; see [`Pipeline::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Counts so far. Frames in the queues are in none of them yet.
    pub accounting: Accounting,
    /// Frames that the source has given.
    pub frames_read: u64,
    /// Frames that the processor has taken.
    pub frames_run: u64,
    /// Frames the source expects to give, where it knows.
    pub expected: Option<u64>,
}

/// How a run ended.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    /// What became of every frame: `delivered + skipped + failed == frames_read`.
    pub accounting: Accounting,
    /// Frames that the source has given.
    pub frames_read: u64,
    /// How long every frame took in each stage.
    pub timings: Timings,
    /// Wall time of the whole run, the finishing of the file included.
    pub elapsed: Duration,
    /// Whether the stop flag ended it.
    pub stopped: bool,
    /// The output; `None` where it was thrown away (no frame is delivered then).
    pub summary: Option<Summary>,
    /// The first error. With [`OnSourceError::Keep`] there can be a summary too.
    pub error: Option<Error>,
}

impl Outcome {
    /// The outcome, or the error if there was one.
    ///
    /// # Errors
    /// [`Outcome::error`].
    pub fn into_result(mut self) -> Result<Self> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

impl Pipeline {
    /// Takes frames from `source` through `process` to `sink` until the source ends, the stop flag
    /// is set, or an error ends it. `process` runs on this thread, in order, and gives for every
    /// frame one of the sink's size; `progress` is called after each frame and once at the end.
    pub fn run<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        source: Box<dyn Source + Send>,
        sink: Box<dyn Sink + Send>,
        mut process: impl FnMut(Frame) -> Result<Frame, E>,
        mut progress: impl FnMut(&Progress),
    ) -> Outcome {
        let started = Instant::now();
        let ledger = Arc::new(Ledger::new(self.record.clone()));
        let expected = source.info().frames;
        let decoding = Decoding::start(source, self.policy, self.capacity, Arc::clone(&ledger));
        let encoding = Encoding::start(sink, self.capacity, Arc::clone(&ledger));

        let error = self.run_frames(&decoding, &encoding, &ledger, &mut process, &mut || {
            progress(&ledger.progress(expected));
        });
        let stopped = self.stop.load(Ordering::Relaxed);
        let mut error = error.err();
        let mut keep = error.is_none();
        // A source that was stopped may well complain of it; that is no error of the run.
        if let (Err(fault), false) = (decoding.end(), stopped) {
            keep &= self.on_source_error == OnSourceError::Keep
                && !matches!(fault, Error::Panicked { .. });
            error = error.or(Some(fault));
        }
        let summary = match encoding.end(keep) {
            Ok(summary) => summary,
            // The end of an empty stream is explained by the error that made it empty.
            Err(Error::NothingWritten { .. }) if stopped || error.is_some() => None,
            Err(fault) => {
                error = error.or(Some(fault));
                None
            }
        };
        let (accounting, frames_read, timings) = ledger.close(summary.is_some());
        progress(&ledger.progress(expected));
        let elapsed = started.elapsed();
        Outcome {
            accounting,
            frames_read,
            timings,
            elapsed,
            stopped,
            summary,
            error,
        }
    }

    fn run_frames<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
        decoding: &Decoding,
        encoding: &Encoding,
        ledger: &Ledger,
        process: &mut impl FnMut(Frame) -> Result<Frame, E>,
        progress: &mut impl FnMut(),
    ) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) && !encoding.ended() {
            let frame = match decoding.frames().recv_timeout(TICK) {
                Ok(frame) => frame,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            ledger.take();
            let index = frame.index;
            let began = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| process(frame)));
            ledger.ran(index, began);
            match outcome {
                Ok(Ok(frame)) => encoding.send(frame),
                Ok(Err(source)) => {
                    ledger.fail();
                    let error = Error::Process {
                        frame: index,
                        source: source.into(),
                    };
                    if self.on_frame_error == OnFrameError::Abort {
                        return Err(error);
                    }
                    tracing::warn!(%error, "the frame is left out");
                }
                // After a panic the processor's state means nothing: no going on.
                Err(panic) => {
                    ledger.fail();
                    return Err(panicked("run", &*panic));
                }
            }
            progress();
        }
        Ok(())
    }
}

fn panicked(stage: &'static str, payload: &(dyn Any + Send)) -> Error {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    Error::Panicked {
        stage,
        message: message.unwrap_or_else(|| "no message".to_owned()),
    }
}

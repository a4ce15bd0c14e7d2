//! Three stages connected by bounded queues: decode (a thread), run (the calling thread, so an engine
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
    stages::{Decoded, Decoding, Encoding},
};
pub use self::{
    ledger::{Accounting, Timings},
    recording::{Recording, Span, Stage},
};
use crate::{Damage, End, Error, Frame, Result, Sink, Source, Summary};

/// How often a waiting stage checks the stop flag.
const TICK: Duration = Duration::from_millis(20);

/// What happens if frames arrive faster than they are processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The source waits, so that every frame is processed. For files.
    #[default]
    EveryFrame,
    /// Older frames are skipped. For live input.
    Latest,
}

/// What happens after an error of the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFrameError {
    /// End the run and discard the output.
    #[default]
    Abort,
    /// Count the frame as failed and continue; the output shows the frame before it instead.
    Continue,
}

/// What happens after a decode error, such as a truncated file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSourceError {
    /// Discard the output.
    #[default]
    Discard,
    /// Finish the output with the frames before the error, which is reported.
    Keep,
}

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// If frames arrive too fast.
    pub policy: Policy,
    /// Frames in each queue, at least 1. [`Policy::Latest`] always keeps one frame waiting.
    pub capacity: usize,
    /// If the processor fails.
    pub on_frame_error: OnFrameError,
    /// If the source fails.
    pub on_source_error: OnSourceError,
    /// Set it to end the run, for example on Ctrl-C: the output is finished with the frames processed so far,
    /// and waiting frames are skipped.
    pub stop: Arc<AtomicBool>,
    /// Records when each stage worked on each frame; `None` for no recording.
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

/// The progress of a run; see [`Pipeline::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Counts so far, without frames in the queues.
    pub accounting: Accounting,
    /// Frames read from the source.
    pub frames_read: u64,
    /// Frames taken by the processor.
    pub frames_run: u64,
    /// Expected number of frames, if known.
    pub expected: Option<u64>,
}

/// The result of a run.
#[derive(Debug)]
#[must_use]
pub struct Outcome {
    /// The counts: `delivered + skipped + failed == frames_read`.
    pub accounting: Accounting,
    /// Frames read from the source.
    pub frames_read: u64,
    /// The time of every frame in each stage.
    pub timings: Timings,
    /// Wall time of the whole run, including finishing the file.
    pub elapsed: Duration,
    /// Whether the stop flag ended the run.
    pub stopped: bool,
    /// The output; `None` if it was discarded, so that no frame is delivered.
    pub summary: Option<Summary>,
    /// Damage of the input, of which the rest was read.
    pub damage: Option<Damage>,
    /// The first error. With [`OnSourceError::Keep`] there may be a summary too.
    pub error: Option<Error>,
}

impl Outcome {
    /// Returns the outcome, or the error if there is one.
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
    /// Passes frames from `source` through `process` to `sink` until the source ends, the stop flag is set, or an
    /// error occurs. `process` runs on this thread, in order, and returns a frame of the sink's size for every
    /// frame; `progress` is called after each frame and once at the end.
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
        let nominal = source.info().fps.time(1);
        let decoding = Decoding::start(source, self.policy, self.capacity, Arc::clone(&ledger));
        let encoding = Encoding::start(sink, self.capacity, Arc::clone(&ledger));

        let mut taken = Duration::ZERO;
        let error = self.run_frames(
            &decoding,
            &encoding,
            &ledger,
            &mut |frame: Frame| {
                taken = frame.time;
                process(frame)
            },
            &mut || progress(&ledger.progress(expected)),
        );
        let stopped = self.stop.load(Ordering::Relaxed);
        let mut error = error.err();
        let mut keep = error.is_none();
        // An error of a source that was stopped is not an error of the run.
        let Decoded {
            result,
            ending,
            last,
        } = decoding.end();
        // Frames that were skipped at the end are time of the output too, unless it was stopped before them.
        let last = if stopped {
            taken
        } else {
            last.unwrap_or(taken)
        };
        let end = End {
            time: match ending.end {
                Some(end) if !stopped => end.max(last),
                _ => last + nominal,
            },
            cut: stopped || ending.cut || result.is_err(),
        };
        if let (Err(fault), false) = (result, stopped) {
            keep &= self.on_source_error == OnSourceError::Keep
                && !matches!(fault, Error::Panicked { .. });
            error = error.or(Some(fault));
        }
        let summary = match encoding.end(keep.then_some(end)) {
            Ok(summary) => summary,
            // An empty stream is explained by the error that caused it.
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
            damage: ending.damage,
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
                // After a panic the processor's state is unknown, so the run ends.
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

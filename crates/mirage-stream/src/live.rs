//! A live run: a source through a session into a sink.

use std::time::{Duration, Instant};

use mirage_video::{Accounting, Filter, Frame, Pipeline, Progress, Resizer, Sink, Source, Summary};

use crate::{Percentiles, Session, StreamError};

/// How a live run is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Frames at the start that are delivered but left out of the times.
    pub warmup: usize,
    /// Frames of the source to keep, in the model's size, for a comparison afterwards.
    pub keep: usize,
}

/// How a live run went.
#[derive(Debug)]
pub struct LiveOutcome {
    /// What became of every frame.
    pub accounting: Accounting,
    /// Time of the network in a frame, ms, without the warm-up; `None` if no frame was left.
    pub times: Option<Percentiles>,
    /// Delivered frames a second, from the end of the warm-up to the end of the last frame's run:
    /// decoding, resizing, the network and the waits between. `None` if no frame was left.
    pub fps: Option<f64>,
    /// Frames left out at the start.
    pub warmup: usize,
    /// The sink's summary, if the output was finished.
    pub summary: Option<Summary>,
    /// The source's first frames in the model's size.
    pub kept: Vec<Frame>,
    /// Whether the stop flag ended the run before the source did.
    pub stopped: bool,
    /// What went wrong, if anything did; what was done so far is in the other fields.
    pub error: Option<StreamError>,
}

/// Runs a source through a session into a sink.
pub fn run_live(
    session: &mut Session,
    pipeline: &Pipeline,
    source: Box<dyn Source + Send>,
    sink: Box<dyn Sink + Send>,
    options: LiveOptions,
    progress: impl FnMut(&Progress),
) -> LiveOutcome {
    let mut clock = Clock::new(options.warmup);
    let mut kept = Vec::with_capacity(options.keep.min(4096));
    let (width, height) = session.size();
    let mut resizer = Resizer::new(Filter::Lanczos3);
    let outcome = pipeline.run(
        source,
        sink,
        |frame: Frame| -> Result<Frame, StreamError> {
            clock.start();
            let small = resizer.resize(&frame, width, height)?;
            let made = session.next_at_size(&small)?;
            if kept.len() < options.keep {
                kept.push(small);
            }
            let out = resizer.resize(&made.frame, frame.width(), frame.height())?;
            clock.lap(made.time);
            Ok(out)
        },
        progress,
    );
    LiveOutcome {
        accounting: outcome.accounting,
        times: Percentiles::of(&clock.times),
        fps: clock.fps(),
        warmup: clock.seen.min(options.warmup),
        summary: outcome.summary,
        kept,
        stopped: outcome.stopped,
        error: outcome.error.map(StreamError::from),
    }
}

/// Times of frames after the warm-up.
struct Clock {
    warmup: usize,
    seen: usize,
    times: Vec<Duration>,
    begin: Option<Instant>,
    end: Option<Instant>,
}

impl Clock {
    fn new(warmup: usize) -> Self {
        Clock {
            warmup,
            seen: 0,
            times: Vec::new(),
            begin: None,
            end: None,
        }
    }

    /// A frame begins.
    fn start(&mut self) {
        if self.seen == self.warmup && self.begin.is_none() {
            self.begin = Some(Instant::now());
        }
    }

    /// A frame is done.
    fn lap(&mut self, time: Duration) {
        self.seen += 1;
        if self.seen > self.warmup {
            self.times.push(time);
            self.end = Some(Instant::now());
        }
    }

    fn fps(&self) -> Option<f64> {
        let seconds = (self.end? - self.begin?).as_secs_f64();
        (seconds > 0.0).then(|| self.times.len() as f64 / seconds)
    }
}

//! Live runs: from a source through a session to a sink.

use std::time::{Duration, Instant};

use mirage_video::{
    Accounting, Damage, Filter, Frame, Outcome, Pipeline, Progress, Sink, Source, Summary,
    resized_sink, resized_source,
};
use serde::Serialize;

use crate::{Percentiles, Session, StreamError};

/// How a live run is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// The number of warm-up frames, which are delivered but excluded from the times.
    pub warmup: usize,
    /// Frames of the source to keep, in the model's size, for a comparison afterwards.
    pub keep: usize,
}

/// How long frames take in the stages of a live run, each on a thread of its own; ms, `None` where no
/// frame was left after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageTimes {
    /// Reading, decoding, and resizing to the model's size.
    pub decode: Option<Percentiles>,
    /// The network.
    pub run: Option<Percentiles>,
    /// Resizing back, encoding and writing.
    pub encode: Option<Percentiles>,
}

/// The outcome of a live run.
#[derive(Debug)]
pub struct LiveOutcome {
    /// The number of delivered, skipped and failed frames.
    pub accounting: Accounting,
    /// Time of the network in a frame, ms, without the warm-up; `None` if no frame was left.
    pub times: Option<Percentiles>,
    /// Times of the stages, which work at the same time, without the warm-up.
    pub stages: StageTimes,
    /// Delivered frames per second, from the end of the warm-up to the end of the last frame's run: the
    /// network and the waits for the other stages. `None` if no frame was left.
    pub fps: Option<f64>,
    /// The number of excluded warm-up frames.
    pub warmup: usize,
    /// The sink's summary, if the output was finished.
    pub summary: Option<Summary>,
    /// Damage of the input, of which the rest was read.
    pub damage: Option<Damage>,
    /// The source's first frames in the model's size.
    pub kept: Vec<Frame>,
    /// Whether the stop flag ended the run before the source did.
    pub stopped: bool,
    /// The error, if any; the other fields describe the run up to it.
    pub error: Option<StreamError>,
}

/// Runs a source through a session into a sink. Frames are resized to the model's size on the source's
/// thread and back on the sink's.
pub fn run_live(
    session: &mut Session,
    pipeline: &Pipeline,
    source: Box<dyn Source + Send>,
    sink: Box<dyn Sink + Send>,
    options: LiveOptions,
    progress: impl FnMut(&Progress),
) -> Result<LiveOutcome, StreamError> {
    let mut clock = Clock::new(options.warmup);
    let mut kept = Vec::with_capacity(options.keep.min(4096));
    let outcome = through(
        session,
        pipeline,
        source,
        sink,
        progress,
        |session, frame| {
            clock.start();
            if kept.len() < options.keep {
                kept.push(frame.clone());
            }
            let time = session.run(frame)?;
            clock.lap(time);
            Ok(())
        },
    )?;
    let warm =
        |times: &[Duration]| Percentiles::of_times(times.get(options.warmup..).unwrap_or(&[]));
    Ok(LiveOutcome {
        accounting: outcome.accounting,
        times: Percentiles::of_times(&clock.times),
        stages: StageTimes {
            decode: warm(&outcome.timings.decode),
            run: warm(&outcome.timings.run),
            encode: warm(&outcome.timings.encode),
        },
        fps: clock.fps(),
        warmup: clock.seen.min(options.warmup),
        summary: outcome.summary,
        damage: outcome.damage,
        kept,
        stopped: outcome.stopped,
        error: outcome.error.map(StreamError::from),
    })
}

/// Runs a source through `process` into a sink, with frames of the model's size between.
pub(crate) fn through(
    session: &mut Session,
    pipeline: &Pipeline,
    source: Box<dyn Source + Send>,
    sink: Box<dyn Sink + Send>,
    progress: impl FnMut(&Progress),
    mut process: impl FnMut(&mut Session, &mut Frame) -> Result<(), StreamError>,
) -> Result<Outcome, StreamError> {
    const FILTER: Filter = Filter::Lanczos3;
    let (width, height) = (source.info().width, source.info().height);
    let sink = resized_sink(sink, width, height, FILTER)?;
    let (width, height) = session.size();
    let source = resized_source(source, width, height, FILTER);
    let run = |mut frame: Frame| -> Result<Frame, StreamError> {
        process(session, &mut frame)?;
        Ok(frame)
    };
    Ok(pipeline.run(source, sink, run, progress))
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

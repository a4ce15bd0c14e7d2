//! The three stages: every frame is accounted for, whatever happens.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use mirage_video::{
    End, Error, Frame, OnFrameError, OnSourceError, Outcome, Pipeline, Policy, Result, Sink,
    SinkOptions, Source, SourceOptions, Summary, VideoInfo, Written, open_sink, open_source,
};
use tempfile::tempdir;

use crate::support::{info, names, read_file, scene};

/// Gives what its script says.
struct Scripted {
    info: VideoInfo,
    script: Box<dyn FnMut(u64) -> Result<Option<Frame>> + Send>,
    next: u64,
}

impl Source for Scripted {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        self.next += 1;
        (self.script)(self.next - 1)
    }
}

fn scripted(
    script: impl FnMut(u64) -> Result<Option<Frame>> + Send + 'static,
) -> Box<dyn Source + Send> {
    Box::new(Scripted {
        info: info(2, 2),
        script: Box::new(script),
        next: 0,
    })
}

fn frame(index: u64) -> Frame {
    Frame::new(2, 2, index).unwrap()
}

fn counted(frames: u64) -> Box<dyn Source + Send> {
    scripted(move |index| Ok((index < frames).then(|| frame(index))))
}

#[derive(Clone, Default)]
struct Seen {
    frames: Arc<Mutex<Vec<u64>>>,
    finished: Arc<AtomicBool>,
    fail_at: Option<u64>,
    panic_at: Option<u64>,
    end: Arc<Mutex<Option<End>>>,
}

impl Seen {
    fn indices(&self) -> Vec<u64> {
        self.frames.lock().unwrap().clone()
    }

    fn finished(&self) -> bool {
        self.finished.load(Ordering::SeqCst)
    }

    fn sink(&self) -> Box<dyn Sink + Send> {
        Box::new(self.clone())
    }
}

impl Sink for Seen {
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        assert_ne!(
            Some(frame.index),
            self.panic_at,
            "the sink was told to panic"
        );
        if Some(frame.index) == self.fail_at {
            let source = io::ErrorKind::StorageFull.into();
            return Err(Error::Write {
                name: "seen".into(),
                frame: frame.index,
                source,
            });
        }
        self.frames.lock().unwrap().push(frame.index);
        Ok(Written::Kept)
    }

    fn finish(self: Box<Self>, end: End) -> Result<Summary> {
        *self.end.lock().unwrap() = Some(end);
        self.finished.store(true, Ordering::SeqCst);
        let frames = self.indices().len() as u64;
        if frames == 0 {
            return Err(Error::NothingWritten {
                name: "seen".into(),
            });
        }
        Ok(Summary {
            frames,
            repeated: 0,
            bytes: 0,
            path: "seen".into(),
            notes: Vec::new(),
        })
    }
}

fn same(frame: Frame) -> io::Result<Frame> {
    Ok(frame)
}

/// Checks what holds for every run, then gives (delivered, skipped, failed).
fn accounts(outcome: &Outcome) -> (u64, u64, u64) {
    let accounting = outcome.accounting;
    assert_eq!(accounting.total(), outcome.frames_read);
    assert_eq!(outcome.timings.decode.len() as u64, outcome.frames_read);
    match &outcome.summary {
        Some(summary) => assert_eq!(summary.frames, accounting.delivered),
        None => assert_eq!(
            accounting.delivered, 0,
            "nothing is delivered without an output"
        ),
    }
    (accounting.delivered, accounting.skipped, accounting.failed)
}

#[test]
fn every_frame_in_order_with_progress() {
    let seen = Seen::default();
    let pipeline = Pipeline {
        capacity: 1,
        ..Pipeline::default()
    };
    let mut reports = Vec::new();
    let outcome = pipeline.run(counted(40), seen.sink(), same, |progress| {
        assert!(progress.accounting.total() <= progress.frames_read);
        reports.push(progress.frames_run);
    });
    assert_eq!(accounts(&outcome), (40, 0, 0));
    assert!(outcome.error.is_none() && !outcome.stopped && seen.finished());
    assert_eq!(seen.indices(), (0..40).collect::<Vec<_>>());
    assert_eq!(reports, (1..=40).chain([40]).collect::<Vec<_>>());
    assert_eq!(
        (outcome.timings.run.len(), outcome.timings.encode.len()),
        (40, 40)
    );
    assert_eq!(outcome.into_result().unwrap().frames_read, 40);
}

/// With room for two frames a source is never more than the queue and the two hands ahead.
#[test]
fn back_pressure_holds_the_source() {
    let read = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counter = Arc::clone(&read);
    let source = scripted(move |index| {
        counter.store(index + 1, Ordering::SeqCst);
        Ok((index < 50).then(|| frame(index)))
    });
    let pipeline = Pipeline {
        capacity: 2,
        ..Pipeline::default()
    };
    let ahead = |frame: Frame| {
        let read = read.load(Ordering::SeqCst);
        // One here, two in the queue, one in the reader's hand.
        assert!(
            read <= frame.index + 4,
            "{read} read at frame {}",
            frame.index
        );
        same(frame)
    };
    let outcome = pipeline.run(source, Seen::default().sink(), ahead, |_| ());
    assert_eq!(accounts(&outcome), (50, 0, 0));
}

/// A live source that gives all its frames while the processor holds the first.
#[test]
fn the_newest_frame_wins() {
    let seen = Seen::default();
    let (all_given, wait): (Sender<()>, Receiver<()>) = bounded(0);
    let (taken, began) = unbounded::<()>();
    let mut all_given = Some(all_given);
    let source = scripted(move |index| {
        if index == 1 {
            began.recv().unwrap();
        }
        if index == 20 {
            drop(all_given.take());
        }
        Ok((index < 20).then(|| frame(index)))
    });
    let slow = |frame: Frame| {
        if frame.index == 0 {
            taken.send(()).unwrap();
            // Disconnects when the source is at its end.
            assert!(wait.recv().is_err());
        }
        same(frame)
    };
    let pipeline = Pipeline {
        policy: Policy::Latest,
        ..Pipeline::default()
    };
    let outcome = pipeline.run(source, seen.sink(), slow, |_| ());
    assert_eq!(accounts(&outcome), (2, 18, 0));
    assert_eq!(seen.indices(), [0, 19]);
}

#[test]
fn a_failed_frame_aborts_or_is_left_out() {
    let picky = |frame: Frame| match frame.index {
        3 | 7 => Err("bad frame"),
        _ => Ok(frame),
    };
    let seen = Seen::default();
    let on_frame_error = OnFrameError::Continue;
    let pipeline = Pipeline {
        on_frame_error,
        ..Pipeline::default()
    };
    let outcome = pipeline.run(counted(10), seen.sink(), picky, |_| ());
    assert_eq!(accounts(&outcome), (8, 0, 2));
    assert_eq!(seen.indices(), [0, 1, 2, 4, 5, 6, 8, 9]);
    assert!(outcome.error.is_none());

    let seen = Seen::default();
    let outcome = Pipeline::default().run(counted(10), seen.sink(), picky, |_| ());
    let (delivered, skipped, failed) = accounts(&outcome);
    assert_eq!(
        (delivered, failed),
        (0, 4),
        "the three before it went with the output"
    );
    assert!(skipped <= 6);
    assert!(!seen.finished());
    let error = outcome.into_result().unwrap_err();
    assert_eq!(error.to_string(), "frame 3: bad frame");
}

#[test]
fn panics_become_errors() {
    let panicking = |frame: Frame| {
        assert!(frame.index < 2, "index {}", frame.index);
        same(frame)
    };
    let on_frame_error = OnFrameError::Continue;
    let pipeline = Pipeline {
        on_frame_error,
        ..Pipeline::default()
    };
    let outcome = pipeline.run(counted(5), Seen::default().sink(), panicking, |_| ());
    accounts(&outcome);
    let message = outcome.into_result().unwrap_err().to_string();
    assert!(message.contains("run stage panicked: index 2"), "{message}");

    let source = scripted(|index| {
        assert!(index < 2, "a broken decoder");
        Ok(Some(frame(index)))
    });
    let seen = Seen::default();
    let on_source_error = OnSourceError::Keep;
    let pipeline = Pipeline {
        on_source_error,
        ..Pipeline::default()
    };
    let outcome = pipeline.run(source, seen.sink(), same, |_| ());
    assert_eq!(accounts(&outcome), (0, 0, 2));
    assert!(!seen.finished());
    let message = outcome.into_result().unwrap_err().to_string();
    assert!(
        message.contains("decode stage panicked: a broken decoder"),
        "{message}"
    );

    let seen = Seen {
        panic_at: Some(1),
        ..Seen::default()
    };
    let outcome = Pipeline::default().run(counted(500), seen.sink(), same, |_| ());
    accounts(&outcome);
    assert!(outcome.frames_read < 500, "the run ends early");
    let message = outcome.into_result().unwrap_err().to_string();
    assert!(message.contains("encode stage panicked"), "{message}");
}

#[test]
fn a_failing_sink_ends_the_run() {
    let seen = Seen {
        fail_at: Some(5),
        ..Seen::default()
    };
    let outcome = Pipeline::default().run(counted(100_000), seen.sink(), same, |_| ());
    let (delivered, _, failed) = accounts(&outcome);
    assert!(delivered == 0 && failed >= 6);
    assert!(outcome.frames_read < 100_000 && !seen.finished());
    assert!(matches!(
        outcome.into_result(),
        Err(Error::Write { frame: 5, .. })
    ));
}

#[test]
fn a_source_that_breaks_is_kept_or_discarded() {
    let broken = || {
        scripted(|index| match index {
            6 => Err(Error::Truncated {
                name: "live".into(),
                format: "y4m",
                frame: 6,
            }),
            _ => Ok(Some(frame(index))),
        })
    };
    for (on_source_error, delivered) in [(OnSourceError::Keep, 6), (OnSourceError::Discard, 0)] {
        let seen = Seen::default();
        let pipeline = Pipeline {
            on_source_error,
            ..Pipeline::default()
        };
        let outcome = pipeline.run(broken(), seen.sink(), same, |_| ());
        assert_eq!(accounts(&outcome), (delivered, 0, 6 - delivered));
        assert_eq!(seen.finished(), delivered > 0);
        assert!(matches!(
            outcome.into_result(),
            Err(Error::Truncated { frame: 6, .. })
        ));
    }
}

#[test]
fn an_empty_source_says_so() {
    let outcome = Pipeline::default().run(counted(0), Seen::default().sink(), same, |_| ());
    assert_eq!(accounts(&outcome), (0, 0, 0));
    assert!(matches!(
        outcome.into_result(),
        Err(Error::NothingWritten { .. })
    ));
}

#[test]
fn the_stop_flag_finishes_the_file() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("out.gif");
    let options = SourceOptions {
        scene_size: (16, 12),
        ..SourceOptions::default()
    };
    for policy in [Policy::EveryFrame, Policy::Latest] {
        // The scene has no end: only the flag ends this.
        let source = open_source("scene", &options).unwrap();
        let sink = open_sink(
            path.to_str().unwrap(),
            source.info(),
            &SinkOptions::default(),
        )
        .unwrap();
        let pipeline = Pipeline {
            policy,
            ..Pipeline::default()
        };
        let stop = Arc::clone(&pipeline.stop);
        let mut done = 0;
        let outcome = pipeline.run(source, sink, same, |_| {
            done += 1;
            stop.store(done >= 7, Ordering::Relaxed);
        });
        assert_eq!(accounts(&outcome).0, 7);
        assert!(outcome.stopped && outcome.error.is_none());
        assert_eq!(read_file(&path).unwrap().1.len(), 7);
        assert_eq!(names(folder.path()), ["out.gif"]);
    }
}

/// A camera that never answers again cannot hold the program.
#[test]
fn a_hanging_source_is_left_behind() {
    let (_keep, silence) = bounded::<()>(0);
    let source = scripted(move |index| {
        if index == 3 {
            // Ends with the test.
            let _ = silence.recv();
            return Ok(None);
        }
        Ok(Some(frame(index)))
    });
    let pipeline = Pipeline::default();
    let stop = Arc::clone(&pipeline.stop);
    let outcome = pipeline.run(source, Seen::default().sink(), same, |progress| {
        stop.store(progress.frames_run == 3, Ordering::Relaxed);
    });
    assert_eq!(accounts(&outcome), (3, 0, 0));
    assert!(outcome.stopped && outcome.error.is_none());
}

#[test]
fn stopped_before_the_first_frame_nothing_is_made() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("out.y4m");
    let options = SourceOptions {
        scene_size: (16, 12),
        ..SourceOptions::default()
    };
    let source = open_source("scene", &options).unwrap();
    let sink = open_sink(
        path.to_str().unwrap(),
        source.info(),
        &SinkOptions::default(),
    )
    .unwrap();
    let pipeline = Pipeline {
        stop: Arc::new(AtomicBool::new(true)),
        ..Pipeline::default()
    };
    let outcome = pipeline.run(source, sink, same, |_| ());
    assert_eq!(accounts(&outcome).0, 0);
    assert!(outcome.stopped && outcome.error.is_none() && outcome.summary.is_none());
    assert!(names(folder.path()).is_empty());
}

/// A processor that returns frames of a wrong size is told so, and no file stays.
#[test]
fn a_wrong_size_from_the_processor() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("out.y4m");
    let sink = open_sink(path.to_str().unwrap(), &info(2, 2), &SinkOptions::default()).unwrap();
    let grow = |_: Frame| Ok::<_, io::Error>(scene(3, 3, 1).remove(0));
    let outcome = Pipeline::default().run(counted(9), sink, grow, |_| ());
    accounts(&outcome);
    assert!(matches!(
        outcome.into_result(),
        Err(Error::FrameSize { .. })
    ));
    assert!(names(folder.path()).is_empty());
}

fn timed(milliseconds: &'static [u64]) -> Box<dyn Source + Send> {
    scripted(move |index| {
        let time = milliseconds.get(index as usize);
        Ok(time.map(|&time| {
            let mut frame = frame(index);
            frame.time = Duration::from_millis(time);
            frame
        }))
    })
}

/// The end of the output is that of the input, also when the last frames failed.
#[test]
fn the_output_ends_where_the_input_does() {
    let nominal = info(2, 2).fps.time(1);
    let seen = Seen::default();
    let pipeline = Pipeline {
        on_frame_error: OnFrameError::Continue,
        ..Pipeline::default()
    };
    let failing = |frame: Frame| match frame.index {
        0..=1 => Ok(frame),
        _ => Err(io::Error::other("no")),
    };
    let outcome = pipeline.run(timed(&[0, 100, 250, 900]), seen.sink(), failing, |_| ());
    assert_eq!(accounts(&outcome), (2, 0, 2));
    let end = seen.end.lock().unwrap().unwrap();
    assert_eq!(end.time, Duration::from_millis(900) + nominal);
    assert!(!end.cut);
}

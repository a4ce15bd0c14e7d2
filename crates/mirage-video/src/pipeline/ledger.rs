//! Accounting of frames.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Progress, Recording, Span, Stage};

/// The number of frames of a run by what happened to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// Frames in the output; 0 if the output was discarded.
    pub delivered: u64,
    /// Read but not processed, because a newer frame arrived ([`crate::Policy::Latest`]) or the run ended; or left out by
    /// the output, whose format shows frames no faster.
    pub skipped: u64,
    /// The processor or the sink failed, or the output was discarded.
    pub failed: u64,
}

impl Accounting {
    /// Returns the sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered + self.skipped + self.failed
    }
}

/// Times of frames in each stage, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Reading and decoding, including skipped frames.
    pub decode: Vec<Duration>,
    /// Processing, including failed frames.
    pub run: Vec<Duration>,
    /// Encoding and writing.
    pub encode: Vec<Duration>,
}

/// The accounting of one run, shared by its stages. Every frame that is read is either waiting, skipped or
/// taken; every frame that is taken is in progress, delivered or failed.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    record: Option<Recording>,
}

#[derive(Debug, Default)]
struct Books {
    read: u64,
    taken: u64,
    /// Taken and left out by the sink.
    merged: u64,
    counts: Accounting,
    timings: Timings,
    closed: bool,
}

impl Ledger {
    /// Returns an empty ledger for a run, with or without a recording.
    pub(super) fn new(record: Option<Recording>) -> Self {
        Ledger {
            books: Mutex::default(),
            record,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A panic cannot leave a count inconsistent.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time since a stage began with a frame, and records it if requested.
    fn took(&self, stage: Stage, frame: u64, start: Instant) -> Duration {
        let time = start.elapsed();
        if let Some(record) = &self.record {
            record.add(Span {
                stage,
                frame,
                start,
                time,
            });
        }
        time
    }

    /// Counts a frame of the source. Returns `false` once the run is over; the frame is not counted then.
    pub(super) fn read(&self, frame: u64, began: Instant) -> bool {
        let took = self.took(Stage::Decode, frame, began);
        let mut books = self.books();
        if !books.closed {
            books.read += 1;
            books.timings.decode.push(took);
        }
        !books.closed
    }

    /// Counts a waiting frame that was replaced by a newer one.
    pub(super) fn skip(&self) {
        let mut books = self.books();
        if !books.closed {
            books.counts.skipped += 1;
        }
    }

    /// Counts a frame for the processor.
    pub(super) fn take(&self) {
        self.books().taken += 1;
    }

    /// The processor or the sink failed on a frame.
    pub(super) fn fail(&self) {
        self.books().counts.failed += 1;
    }

    /// The sink left a frame out.
    pub(super) fn merge(&self) {
        let mut books = self.books();
        books.merged += 1;
        if !books.closed {
            books.counts.skipped += 1;
        }
    }

    /// The sink took a frame.
    pub(super) fn deliver(&self, frame: u64, began: Instant) {
        let took = self.took(Stage::Encode, frame, began);
        let mut books = self.books();
        books.counts.delivered += 1;
        books.timings.encode.push(took);
    }

    /// The processor is done with a frame, successfully or not.
    pub(super) fn ran(&self, frame: u64, began: Instant) {
        let took = self.took(Stage::Run, frame, began);
        self.books().timings.run.push(took);
    }

    pub(super) fn progress(&self, expected: Option<u64>) -> Progress {
        let books = self.books();
        Progress {
            accounting: books.counts,
            frames_read: books.read,
            frames_run: books.taken,
            expected,
        }
    }

    /// Closes the ledger: frames that were read but not taken are skipped; if the output was discarded (`kept`
    /// is false), delivered frames have failed. Later counts are ignored, so that a source that hangs in a read
    /// cannot change them.
    pub(super) fn close(&self, kept: bool) -> (Accounting, u64, Timings) {
        let mut books = self.books();
        books.closed = true;
        let counts = books.counts;
        debug_assert!(
            counts.skipped <= books.read - books.taken + books.merged,
            "a frame skipped and taken"
        );
        debug_assert!(
            !kept || counts.delivered + counts.failed + books.merged == books.taken,
            "a frame lost"
        );
        let merged = if kept { books.merged } else { 0 };
        books.counts.skipped = books.read - books.taken + merged;
        // Frames that the encoder had not written when it panicked have failed too.
        let delivered = if kept { books.counts.delivered } else { 0 };
        books.counts.delivered = delivered;
        books.counts.failed = books.taken - delivered - merged;
        (books.counts, books.read, std::mem::take(&mut books.timings))
    }
}

//! What became of every frame.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Progress, Recording, Span, Stage};

/// What became of the frames of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounting {
    /// In the output. After a run whose output was thrown away: none.
    pub delivered: u64,
    /// Read but never processed: a newer frame came ([`crate::Policy::Latest`]), or the run ended.
    pub skipped: u64,
    /// The processor or the sink failed on it, or the output it was in was thrown away.
    pub failed: u64,
}

impl Accounting {
    /// All frames counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered + self.skipped + self.failed
    }
}

/// How long frames took, in the order they were handled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// Reading and decoding, skipped frames too.
    pub decode: Vec<Duration>,
    /// The processor, failed frames too.
    pub run: Vec<Duration>,
    /// Encoding and writing.
    pub encode: Vec<Duration>,
}

/// The books of one run, shared by its stages. Every frame read is either waiting, skipped, or
/// taken; every frame taken is on its way, delivered, or failed.
#[derive(Debug)]
pub(super) struct Ledger {
    books: Mutex<Books>,
    record: Option<Recording>,
}

#[derive(Debug, Default)]
struct Books {
    read: u64,
    taken: u64,
    counts: Accounting,
    timings: Timings,
    closed: bool,
}

impl Ledger {
    /// Empty books of a run that is recorded, or not.
    pub(super) fn new(record: Option<Recording>) -> Self {
        Ledger {
            books: Mutex::default(),
            record,
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // A count cannot be left half-done by a panic.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since a stage began with a frame; recorded where that is wanted.
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

    /// The source gave a frame. `false` once the run is over: the frame does not count.
    pub(super) fn read(&self, frame: u64, began: Instant) -> bool {
        let took = self.took(Stage::Decode, frame, began);
        let mut books = self.books();
        if !books.closed {
            books.read += 1;
            books.timings.decode.push(took);
        }
        !books.closed
    }

    /// A waiting frame was displaced by a newer one.
    pub(super) fn skip(&self) {
        let mut books = self.books();
        if !books.closed {
            books.counts.skipped += 1;
        }
    }

    /// The processor gets a frame.
    pub(super) fn take(&self) {
        self.books().taken += 1;
    }

    /// The processor or the sink failed on a frame.
    pub(super) fn fail(&self) {
        self.books().counts.failed += 1;
    }

    /// The sink took a frame.
    pub(super) fn deliver(&self, frame: u64, began: Instant) {
        let took = self.took(Stage::Encode, frame, began);
        let mut books = self.books();
        books.counts.delivered += 1;
        books.timings.encode.push(took);
    }

    /// The processor is done with a frame, well or not.
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

    /// Ends the books: frames that were read and never taken are skipped; where the output was
    /// thrown away (`kept` is false), what seemed delivered has failed. Counts after this change
    /// nothing, so a source that hangs in a read cannot spoil them.
    pub(super) fn close(&self, kept: bool) -> (Accounting, u64, Timings) {
        let mut books = self.books();
        books.closed = true;
        let counts = books.counts;
        debug_assert!(
            counts.skipped <= books.read - books.taken,
            "a frame skipped and taken"
        );
        debug_assert!(
            !kept || counts.delivered + counts.failed == books.taken,
            "a frame lost"
        );
        books.counts.skipped = books.read - books.taken;
        // Frames that the encoder had not written when it panicked have failed too.
        let delivered = if kept { books.counts.delivered } else { 0 };
        books.counts.delivered = delivered;
        books.counts.failed = books.taken - delivered;
        (books.counts, books.read, std::mem::take(&mut books.timings))
    }
}

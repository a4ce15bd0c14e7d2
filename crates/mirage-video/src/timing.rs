//! Presentation times: from the stamps of an input, and onto the constant rate of an output.

use std::time::Duration;

use crate::Rational;

/// A longer gap between two frames is damage of the stamps, not a pause.
const MAX_GAP: Duration = Duration::from_secs(3600);
/// The least time between two frames of a variable rate.
const LEAST: Duration = Duration::from_millis(1);

/// Turns the stamps of an input into times that begin at 0 and increase. At a constant rate, times are exact multiples
/// of it, as containers round stamps.
#[derive(Debug)]
pub(crate) struct Times {
    rate: Rational,
    variable: bool,
    /// What is subtracted from stamps, nanoseconds.
    origin: Option<i128>,
    last: Option<Duration>,
    /// Stamps that could not be right.
    pub(crate) jumps: u64,
}

impl Times {
    /// Begins a stream of mean rate `rate`.
    pub(crate) fn new(rate: Rational, variable: bool) -> Self {
        Self {
            rate,
            variable,
            origin: None,
            last: None,
            jumps: 0,
        }
    }

    /// Returns the time of the last frame.
    pub(crate) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Returns the time of the next frame, which is stamped `stamp` nanoseconds.
    pub(crate) fn next(&mut self, stamp: i128) -> Duration {
        let origin = *self.origin.get_or_insert(stamp);
        let Some(last) = self.last else {
            self.last = Some(Duration::ZERO);
            return Duration::ZERO;
        };
        let nanoseconds = u64::try_from((stamp - origin).max(0)).unwrap_or(u64::MAX);
        let mut time = Duration::from_nanos(nanoseconds);
        let expected = last + self.rate.time(1);
        let back = last > time + MAX_GAP;
        if back || time > last + MAX_GAP {
            self.jumps += 1;
            self.origin = Some(stamp - expected.as_nanos() as i128);
            time = expected;
        }
        time = if self.variable {
            time.max(last + LEAST)
        } else {
            let after = self.rate.index(last) + 1;
            self.rate.time(self.rate.index(time).max(after))
        };
        self.last = Some(time);
        time
    }
}

/// Places frames on a constant rate: each at the index nearest to its time, but behind the frame before it, so that
/// none is lost. The frame before is repeated in gaps.
#[derive(Debug)]
pub(crate) struct Slots {
    rate: Rational,
    next: u64,
}

impl Slots {
    pub(crate) fn new(rate: Rational) -> Self {
        Self { rate, next: 0 }
    }

    /// Places a frame. Returns how often the frame before it is repeated first; of the first frame, how often it is
    /// itself.
    pub(crate) fn place(&mut self, time: Duration) -> u64 {
        let slot = self.rate.index(time).max(self.next);
        let gap = slot - self.next;
        self.next = slot + 1;
        gap
    }

    /// Ends the stream. Returns how often the last frame is repeated.
    pub(crate) fn end(&mut self, end: Duration) -> u64 {
        self.rate.index(end).saturating_sub(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rational {
        Rational::parse(text).unwrap()
    }

    #[test]
    fn rounded_stamps_of_a_constant_rate_are_exact() {
        let fps = rate("30000/1001");
        let mut times = Times::new(fps, false);
        for i in 0..1000 {
            // Milliseconds, as in Matroska, from an origin.
            let stamp = (5_000 + (i as f64 * 1001.0 / 30.0).round() as i128) * 1_000_000;
            assert_eq!(times.next(stamp), fps.time(i));
        }
    }

    #[test]
    fn gaps_stay_and_stamps_that_stand_or_leap_do_not() {
        let mut times = Times::new(rate("10"), true);
        let ms = |t: i128| t * 1_000_000;
        let at = [0, 100, 100, 6000, 5000, 6100, 90_000_000, 90_000_100].map(|t| times.next(ms(t)));
        let want = [0, 100, 101, 6000, 6001, 6100, 6200, 6300].map(Duration::from_millis);
        assert_eq!(at, want);
        assert_eq!(times.jumps, 1);
    }

    #[test]
    fn every_frame_has_a_slot() {
        let mut slots = Slots::new(rate("10"));
        let gaps = [0, 40, 90, 500, 600].map(|t| slots.place(Duration::from_millis(t)));
        assert_eq!(gaps, [0, 0, 0, 2, 0]);
        assert_eq!(slots.end(Duration::from_millis(1000)), 3);
    }
}

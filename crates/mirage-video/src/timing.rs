//! Presentation times: from the stamps of an input, and onto the constant rate of an output.

use std::time::Duration;

use crate::Rational;

/// A longer gap between two frames is damage of the stamps, not a pause.
const MAX_GAP: Duration = Duration::from_secs(3600);
/// The least time between two frames of a variable rate.
const LEAST: Duration = Duration::from_millis(1);

/// Containers round stamps to milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// Turns the stamps of an input into times that begin at 0 and increase. A stamp beside the time of a frame at the
/// constant rate becomes exactly this time, as containers round stamps; others are kept.
#[derive(Debug)]
pub(crate) struct Times {
    rate: Rational,
    /// What is subtracted from stamps, nanoseconds.
    origin: Option<i128>,
    last: Option<Duration>,
    /// Stamps that could not be right.
    pub(crate) jumps: u64,
}

impl Times {
    /// Begins a stream of rate `rate`.
    pub(crate) fn new(rate: Rational) -> Self {
        Self {
            rate,
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
        if last > time + MAX_GAP || time > last + MAX_GAP {
            self.jumps += 1;
            time = last + self.rate.time(1);
            self.origin = Some(stamp - time.as_nanos() as i128);
        }
        let exact = self.rate.time(self.rate.index(time));
        if exact.abs_diff(time) <= ROUNDING {
            time = exact;
        }
        time = time.max(last + LEAST);
        self.last = Some(time);
        time
    }
}

/// Places frames on a constant rate: each at the index nearest to its time, or just behind the frame before it. The
/// frame before is repeated in gaps. A stream of more frames than the rate has loses some, but no time.
#[derive(Debug)]
pub(crate) struct Slots {
    rate: Rational,
    next: u64,
}

impl Slots {
    pub(crate) fn new(rate: Rational) -> Self {
        Self { rate, next: 0 }
    }

    /// Places a frame. Returns how often the frame before it is repeated first (of the first frame, how often it is
    /// itself); `None` if there is no room for it.
    pub(crate) fn place(&mut self, time: Duration) -> Option<u64> {
        if self.rate.time(self.next) > time + self.rate.time(1) {
            return None;
        }
        let slot = self.rate.index(time).max(self.next);
        let gap = slot - self.next;
        self.next = slot + 1;
        Some(gap)
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
        let mut times = Times::new(fps);
        for i in 0..1000 {
            // Milliseconds, as in Matroska, from an origin.
            let stamp = (5_000 + (i as f64 * 1001.0 / 30.0).round() as i128) * 1_000_000;
            assert_eq!(times.next(stamp), fps.time(i));
        }
    }

    #[test]
    fn gaps_stay_and_stamps_that_stand_or_leap_do_not() {
        let mut times = Times::new(rate("7"));
        let ms = |t: i128| t * 1_000_000;
        let at = [0, 100, 100, 6000, 5000, 6100, 90_000_000, 90_000_100].map(|t| times.next(ms(t)));
        let want = [0, 100, 101, 6000, 6001, 6100].map(Duration::from_millis);
        assert_eq!(at[..6], want);
        let nominal = rate("7").time(1);
        assert_eq!(at[6], want[5] + nominal);
        assert_eq!(at[7], at[6] + Duration::from_millis(100));
        assert_eq!(times.jumps, 1);
    }

    #[test]
    fn frames_have_slots_and_time_is_kept() {
        let mut slots = Slots::new(rate("10"));
        let gaps = [0, 40, 90, 500, 600].map(|t| slots.place(Duration::from_millis(t)));
        assert_eq!(gaps, [Some(0), Some(0), None, Some(3), Some(0)]);
        assert_eq!(slots.end(Duration::from_millis(1000)), 3);
    }
}

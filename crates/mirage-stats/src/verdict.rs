//! The verdict on an interval of a speed-up.

use serde::{Deserialize, Serialize};

use crate::Interval;

/// A difference of less than this share is never called, however narrow its interval is: placement
/// of code and memory alone moves a program by about a per cent (Mytkowicz et al., ASPLOS 2009). At
/// 2 % a true change of 1 % stays within it though placement and the interval's own error add to it.
pub const DEFAULT_MARGIN: f64 = 0.02;

/// The verdict on an interval of a speed-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval lies on the fast side of 1 and beyond the margin.
    Faster,
    /// The whole interval lies on the slow side of 1 and beyond the margin.
    Slower,
    /// No effect: the whole interval lies within the margin of 1.
    Same,
    /// The interval is too wide to tell: it reaches both into the margin of 1 and beyond it.
    Undecided,
}

impl Verdict {
    /// Of the interval of a speed-up, old time by new time: above 1 is faster. `margin` is the
    /// smallest change of time that counts, as a share: 0.01 is 1 %.
    pub fn of_speed_up(speed_up: &Interval, margin: f64) -> Self {
        let (low, high) = (1.0 / (1.0 + margin), 1.0 + margin);
        if speed_up.low > high {
            Verdict::Faster
        } else if speed_up.high < low {
            Verdict::Slower
        } else if low <= speed_up.low && speed_up.high <= high {
            Verdict::Same
        } else {
            Verdict::Undecided
        }
    }

    /// Of the interval of a ratio of times, new by old: above 1 is slower.
    pub fn of_time_ratio(ratio: &Interval, margin: f64) -> Self {
        match Self::of_speed_up(ratio, margin) {
            Verdict::Faster => Verdict::Slower,
            Verdict::Slower => Verdict::Faster,
            Verdict::Same => Verdict::Same,
            Verdict::Undecided => Verdict::Undecided,
        }
    }

    /// Returns the word for tables and messages.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::Same => "no effect",
            Verdict::Undecided => "undecided",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(low: f64, high: f64) -> Verdict {
        let estimate = (low + high) / 2.0;
        Verdict::of_speed_up(
            &Interval {
                estimate,
                low,
                high,
            },
            0.01,
        )
    }

    #[test]
    fn the_whole_interval_must_clear_the_margin() {
        assert_eq!(verdict(1.011, 1.2), Verdict::Faster);
        assert_eq!(verdict(1.009, 1.2), Verdict::Undecided);
        assert_eq!(verdict(0.9, 1.2), Verdict::Undecided);
        assert_eq!(verdict(0.9, 0.991), Verdict::Undecided);
        assert_eq!(verdict(0.991, 1.009), Verdict::Same);
        assert_eq!(verdict(0.989, 1.009), Verdict::Undecided);
        assert_eq!(verdict(0.9, 0.989), Verdict::Slower);
    }
}

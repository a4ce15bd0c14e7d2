//! When a subject is warm.

use crate::percentiles::median_in_place;

/// The rule of warm-up. A subject is warm when the median of its last `window` runs differs from the
/// median of the `window` runs before by no more than `tolerance`, as a share of the later one, or
/// by no more than the runs scatter around their own window's median (the median absolute
/// deviation).
///
/// It is the steady-state rule of Georges, Buytaert and Eeckhout (OOPSLA 2007), a window whose
/// variation is small, with medians in place of means, so that one interrupted run does not count,
/// and with a noisy machine's own scatter allowed for. A steady trend is never stable by the second
/// part: over windows of `w` runs it moves the median by `w` steps and scatters the runs by `w / 4`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUpRule {
    /// Runs in a window, at least 1.
    pub window: usize,
    /// The difference of the medians that counts as none, as a share.
    pub tolerance: f64,
}

impl Default for WarmUpRule {
    fn default() -> Self {
        WarmUpRule {
            window: 5,
            tolerance: 0.02,
        }
    }
}

impl WarmUpRule {
    /// Whether a subject with these times, in the order of its runs, is warm.
    pub fn is_stable(&self, times: &[f64]) -> bool {
        let window = self.window.max(1);
        let Some(start) = times.len().checked_sub(2 * window) else {
            return false;
        };
        let (before, last) = times[start..].split_at(window);
        let old = median_in_place(&mut before.to_vec());
        let new = median_in_place(&mut last.to_vec());
        let mut scatter: Vec<f64> = before.iter().map(|t| (t - old).abs()).collect();
        scatter.extend(last.iter().map(|t| (t - new).abs()));
        let allowed = (self.tolerance * new).max(median_in_place(&mut scatter));
        (new - old).abs() <= allowed
    }

    /// The rule in words, for reports.
    pub fn describe(&self) -> String {
        format!(
            "until the medians of two windows of {} runs differ by at most {} %, or by less than the scatter of the runs",
            self.window,
            self.tolerance * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_not_stable_and_what_follows_is() {
        let rule = WarmUpRule::default();
        let warming: Vec<f64> = (0..40).map(|i| 100.0 + 100.0 * 0.8_f64.powi(i)).collect();
        let first = (0..=warming.len()).find(|&n| rule.is_stable(&warming[..n]));
        // The excess falls under 2 % in the middle of the older window: 100 * 0.8^(n - 8) < 2 or so.
        assert!(matches!(first, Some(22..=30)), "{first:?}");
        let steady_fall: Vec<f64> = (0..30).map(|i| 200.0 - 4.0 * f64::from(i)).collect();
        assert!((0..=30).all(|n| !rule.is_stable(&steady_fall[..n])));
    }

    #[test]
    fn noise_is_not_a_trend_and_an_interruption_does_not_count() {
        let rule = WarmUpRule::default();
        let noisy = [
            100.0, 108.0, 93.0, 104.0, 97.0, 95.0, 107.0, 99.0, 103.0, 500.0,
        ];
        assert!(rule.is_stable(&noisy));
        assert!(!rule.is_stable(&noisy[..9]));
    }
}

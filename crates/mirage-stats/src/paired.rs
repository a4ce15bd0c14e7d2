//! The ratio of times that were measured in pairs.

use std::time::Duration;

use serde::Serialize;

use crate::quantile;

/// The ratio of two sets of times that were measured in pairs, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// The median of the pairs' ratios.
    pub median: f64,
    /// The middle half of them: from here
    pub low: f64,
    /// to here.
    pub high: f64,
    /// How many pairs there are.
    pub pairs: usize,
}

impl Ratio {
    /// Of `a[i] / b[i]`; `None` if there is no pair.
    pub fn of_pairs(a: &[Duration], b: &[Duration]) -> Option<Self> {
        let mut ratios: Vec<f64> = a
            .iter()
            .zip(b)
            .filter(|(_, b)| !b.is_zero())
            .map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
            .collect();
        if ratios.is_empty() {
            return None;
        }
        ratios.sort_by(f64::total_cmp);
        let [low, median, high] = [0.25, 0.5, 0.75].map(|q| quantile(&ratios, q));
        Some(Ratio {
            median,
            low,
            high,
            pairs: ratios.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().map(|&v| Duration::from_millis(v)).collect()
    }

    #[test]
    fn ratios_are_of_pairs() {
        let r = Ratio::of_pairs(&ms(&[10, 20, 90]), &ms(&[20, 40, 60])).unwrap();
        assert!((r.median - 0.5).abs() < 1e-9 && (r.high - 1.0).abs() < 1e-9 && r.pairs == 3);
        assert_eq!(Ratio::of_pairs(&ms(&[1]), &[]), None);
    }
}

//! Numbers out of frame times.

use std::time::Duration;

use serde::Serialize;

/// Percentiles of a set of times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 95 of 100 are not above it.
    pub p95: f64,
    /// 99 of 100 are not above it.
    pub p99: f64,
    /// How many times there are.
    pub count: usize,
}

impl Percentiles {
    /// Of these times; `None` if there is none. A percentile between two times is interpolated
    /// linearly.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut ms: Vec<f64> = times.iter().map(|t| t.as_secs_f64() * 1e3).collect();
        if ms.is_empty() {
            return None;
        }
        ms.sort_by(f64::total_cmp);
        Some(Percentiles {
            p50: quantile(&ms, 0.5),
            p95: quantile(&ms, 0.95),
            p99: quantile(&ms, 0.99),
            count: ms.len(),
        })
    }
}

/// The quantile of sorted values, interpolated linearly between the two nearest ranks.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    match sorted.get(low + 1) {
        Some(next) => sorted[low] + part * (next - sorted[low]),
        None => sorted[low],
    }
}

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
    fn percentiles_interpolate() {
        let p = Percentiles::of(&ms(&[40, 10, 30, 20])).unwrap();
        assert!((p.p50 - 25.0).abs() < 1e-9 && (p.p95 - 38.5).abs() < 1e-9 && p.count == 4);
        assert_eq!(Percentiles::of(&ms(&[7])).map(|p| p.p99), Some(7.0));
        assert_eq!(Percentiles::of(&[]), None);
    }

    #[test]
    fn ratios_are_of_pairs() {
        let r = Ratio::of_pairs(&ms(&[10, 20, 90]), &ms(&[20, 40, 60])).unwrap();
        assert!((r.median - 0.5).abs() < 1e-9 && (r.high - 1.0).abs() < 1e-9 && r.pairs == 3);
        assert_eq!(Ratio::of_pairs(&ms(&[1]), &[]), None);
    }
}

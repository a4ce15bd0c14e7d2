//! Quantiles of a sample.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Percentiles of a sample, in the sample's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// 95 of 100 are not above it.
    pub p95: f64,
    /// 99 of 100 are not above it.
    pub p99: f64,
    /// How many values there are.
    pub count: usize,
}

impl Percentiles {
    /// Of these times, in milliseconds, in any order; `None` if there is none.
    pub fn of_times(times: &[Duration]) -> Option<Self> {
        let ms: Vec<f64> = times.iter().map(|t| t.as_secs_f64() * 1e3).collect();
        Percentiles::of(&ms)
    }

    /// Of these values, in any order; `None` if there is none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let sorted = sorted(values)?;
        Some(Percentiles {
            p50: quantile(&sorted, 0.5),
            p95: quantile(&sorted, 0.95),
            p99: quantile(&sorted, 0.99),
            count: sorted.len(),
        })
    }
}

/// The values in ascending order; `None` if there is none.
pub(crate) fn sorted(values: &[f64]) -> Option<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (!sorted.is_empty()).then_some(sorted)
}

/// The quantile `q`, from 0 to 1, of ascending values, of which there is at least one; between two
/// ranks it is interpolated linearly. This is type 7 of Hyndman and Fan (1996), numpy's default.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    match sorted.get(low + 1) {
        Some(next) => sorted[low] + part * (next - sorted[low]),
        None => sorted[low],
    }
}

/// The median of values in any order; `None` if there is none.
pub fn median(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| median_in_place(&mut values.to_vec()))
}

/// The median of at least one value, in linear time; leaves the values in another order.
pub(crate) fn median_in_place(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let odd = values.len() % 2 == 1;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    lower + (upper - lower) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([40, 10, 30, 20, 15, 90, 33], [50, 95, 99])`, numpy 2.4.
    #[test]
    fn percentiles_are_numpys() {
        let p = Percentiles::of(&[40.0, 10.0, 30.0, 20.0, 15.0, 90.0, 33.0]).unwrap();
        assert_eq!((p.p50, p.count), (30.0, 7));
        assert!((p.p95 - 75.0).abs() < 1e-9, "{p:?}");
        assert!((p.p99 - 87.0).abs() < 1e-9, "{p:?}");
    }

    #[test]
    fn the_median_of_an_even_number_is_the_middle() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
        assert_eq!(Percentiles::of(&[]), None);
    }
}

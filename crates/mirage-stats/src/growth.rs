//! How a time grows with a size: the exponent of a power law.

use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use crate::{
    Interval, Resampling, StatsError,
    bootstrap::{Draw, check, interval, median_of},
};

/// The times of one size: lists of samples in ms, one a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Sized {
    /// The size, above 0.
    pub size: f64,
    /// The samples.
    pub samples_ms: Vec<Vec<f64>>,
}

/// How a time grows: with an exponent of 1, twice the size takes twice the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Over all sizes: the slope of the least-squares line through the logarithms of sizes and median
    /// times; null with fewer than two sizes. Its interval is of the noise of the times alone: where
    /// the exponents between neighbours differ, the growth is no power law.
    pub overall: Option<Interval>,
    /// From each size to the next.
    pub between: Vec<Interval>,
}

/// The growth of the median times over these sizes, which differ and ascend. Each size's samples are
/// drawn by themselves, since sizes are measured one after the other.
///
/// # Errors
/// A size with fewer than [`MIN_SAMPLES`](crate::MIN_SAMPLES) samples; times that are none.
pub fn growth(points: &[Sized], how: &Resampling) -> Result<Growth, StatsError> {
    points.iter().try_for_each(|p| check(&p.samples_ms))?;
    if points.len() < 2 {
        return Ok(Growth::default());
    }
    let sizes: Vec<f64> = points.iter().map(|p| p.size).collect();
    let exponents = |medians: &[f64]| -> Vec<f64> {
        let logs: Vec<(f64, f64)> = sizes.iter().copied().zip(medians.iter().copied()).collect();
        let pairs = logs.windows(2).map(exponent);
        std::iter::once(exponent(&logs)).chain(pairs).collect()
    };
    let medians: Vec<f64> = points.iter().map(|p| median_of(&p.samples_ms)).collect();
    let estimates = exponents(&medians);
    let mut rng = StdRng::seed_from_u64(how.seed);
    let mut draws: Vec<Draw> = points
        .iter()
        .map(|p| Draw::new(&p.samples_ms, how))
        .collect();
    let mut drawn = vec![Vec::with_capacity(how.resamples); estimates.len()];
    for _ in 0..how.resamples {
        let medians = draws.iter_mut().zip(points).map(|(draw, point)| {
            draw.next(&mut rng);
            draw.median(&point.samples_ms)
        });
        let medians: Vec<f64> = medians.collect();
        for (all, one) in drawn.iter_mut().zip(exponents(&medians)) {
            all.push(one);
        }
    }
    let mut intervals = estimates
        .into_iter()
        .zip(&mut drawn)
        .map(|(estimate, drawn)| interval(estimate, drawn, how.confidence));
    Ok(Growth {
        overall: intervals.next(),
        between: intervals.collect(),
    })
}

/// The slope of the least-squares line through the logarithms of sizes and times, of which there are
/// two or more, all above 0, with sizes that differ.
pub fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (sum_x, sum_y) = logs
        .iter()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in logs {
        covariance += (x - mean_x) * (y - mean_y);
        variance += (x - mean_x).powi(2);
    }
    covariance / variance
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of `size^power` ms, each with a few per cent of deterministic noise.
    fn sized(size: f64, power: f64) -> Sized {
        let noise = |i: usize| 1.0 + 0.03 * ((i * 37 % 11) as f64 / 11.0 - 0.5);
        Sized {
            size,
            samples_ms: vec![(0..20).map(|i| size.powf(power) * noise(i)).collect()],
        }
    }

    #[test]
    fn a_power_law_has_its_exponent_overall_and_between() {
        for power in [0.5, 1.0, 2.0] {
            let points = [64.0, 128.0, 256.0, 1024.0].map(|size| sized(size, power));
            let found = growth(&points, &Resampling::default()).unwrap();
            let all = found.overall.into_iter().chain(found.between);
            let all: Vec<Interval> = all.collect();
            assert_eq!(all.len(), 4);
            for interval in all {
                assert!((interval.estimate - power).abs() < 1e-9, "{interval:?}");
                assert!(interval.low <= power && power <= interval.high);
                assert!(interval.high - interval.low < 0.1, "{interval:?}");
            }
        }
    }

    #[test]
    fn a_bend_shows_between_neighbours() {
        let points = [sized(10.0, 1.0), sized(100.0, 1.0), sized(1000.0, 2.0)];
        let found = growth(&points, &Resampling::default()).unwrap();
        assert!((found.between[0].estimate - 1.0).abs() < 1e-9);
        assert!((found.between[1].estimate - 4.0).abs() < 1e-9);
    }

    #[test]
    fn one_size_has_no_growth_and_few_samples_are_said() {
        let one = growth(&[sized(2.0, 1.0)], &Resampling::default()).unwrap();
        assert_eq!(one, Growth::default());
        let few = Sized {
            size: 1.0,
            samples_ms: vec![vec![1.0; 5]],
        };
        let error = growth(&[few, sized(2.0, 1.0)], &Resampling::default());
        assert_eq!(error, Err(StatsError::TooFew { found: 5 }));
    }
}

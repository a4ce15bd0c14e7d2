//! Intervals of functions of medians, by the bootstrap.
//!
//! The percentile method (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
//! The bias-corrected accelerated method would need the jackknife, which is not consistent for a
//! median (the same, section 11.6).
//!
//! What is drawn respects how the times came about. Samples that were measured in turn are drawn
//! together, so that what slowed both cancels. They are drawn in blocks of neighbours, since
//! neighbouring times are alike (the circular block bootstrap of Politis and Romano, 1992; a block's
//! length grows as the cube root of the number of samples, Hall, Horowitz and Jing, 1995). Repeats
//! in processes of their own are drawn as wholes first (Kalibera and Jones, ISMM 2013).

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{percentiles::median_in_place, quantile};

/// The fewest samples that an interval is given for: below six no two order statistics enclose the
/// median with 95 % whatever the distribution, since 1 - 2 (1/2)^n must reach 0.95.
pub const MIN_SAMPLES: usize = 6;

/// An estimate and the interval around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The statistic of the samples themselves.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How samples are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// How often.
    pub resamples: usize,
    /// What the interval covers, 0.95 as a rule.
    pub confidence: f64,
    /// The seed: the same samples and seed give the same interval.
    pub seed: u64,
    /// Neighbours that are drawn together; `None` for twice the cube root of the number of samples,
    /// but no more than a quarter of them.
    pub block: Option<usize>,
}

impl Default for Resampling {
    fn default() -> Self {
        Resampling {
            resamples: 4000,
            confidence: 0.95,
            seed: 0,
            block: None,
        }
    }
}

/// Why there is no interval.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StatsError {
    /// Too few samples.
    #[error(
        "too few samples for an interval: {found}, at least {MIN_SAMPLES} are needed; use a longer --time"
    )]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// A process that measured nothing.
    #[error("a process has no samples")]
    EmptyRepeat,
    /// Samples that were not measured in turn.
    #[error(
        "series {series} has another number of samples than the first, so they cannot be paired"
    )]
    Unpaired {
        /// Which series, from 0.
        series: usize,
    },
    /// A time that is none.
    #[error("invalid time of {value} ms: times must be positive")]
    NotATime {
        /// The time.
        value: f64,
    },
}

/// The interval of `numerator`'s median by `denominator`'s, of series measured in turn: sample `i` of
/// repeat `r` of one was taken next to sample `i` of repeat `r` of the other.
pub fn ratio_paired(
    numerator: &[Vec<f64>],
    denominator: &[Vec<f64>],
    how: &Resampling,
) -> Result<Interval, StatsError> {
    let ratio = |m: &[f64]| vec![m[0] / m[1]];
    let intervals = medians_interval(&[numerator, denominator], how, ratio)?;
    Ok(intervals[0])
}

/// The interval of `numerator`'s median by `denominator`'s, of series measured apart, each drawn by
/// itself.
pub fn ratio_unpaired(
    numerator: &[Vec<f64>],
    denominator: &[Vec<f64>],
    how: &Resampling,
) -> Result<Interval, StatsError> {
    check(numerator)?;
    check(denominator)?;
    let mut rng = StdRng::seed_from_u64(how.seed);
    let (mut up, mut down) = (Draw::new(numerator, how), Draw::new(denominator, how));
    let ratios = (0..how.resamples).map(|_| {
        up.next(&mut rng);
        down.next(&mut rng);
        up.median(numerator) / down.median(denominator)
    });
    let mut ratios: Vec<f64> = ratios.collect();
    let estimate = median_of(numerator) / median_of(denominator);
    Ok(interval(estimate, &mut ratios, how.confidence))
}

/// The intervals of what `statistics` makes of the medians of several series that were measured in
/// turn. It is given one median a series and returns as many numbers every time.
///
/// # Errors
/// Fewer samples than [`MIN_SAMPLES`], series of different lengths, times that are none.
pub fn medians_interval(
    series: &[&[Vec<f64>]],
    how: &Resampling,
    statistics: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Vec<Interval>, StatsError> {
    let Some(first) = series.first() else {
        return Ok(Vec::new());
    };
    for (index, other) in series.iter().enumerate() {
        check(other)?;
        if !first.iter().map(Vec::len).eq(other.iter().map(Vec::len)) {
            return Err(StatsError::Unpaired { series: index });
        }
    }
    let medians: Vec<f64> = series.iter().map(|s| median_of(s)).collect();
    let estimates = statistics(&medians);
    let mut drawn = vec![Vec::with_capacity(how.resamples); estimates.len()];
    let mut rng = StdRng::seed_from_u64(how.seed);
    let mut draw = Draw::new(first, how);
    for _ in 0..how.resamples {
        draw.next(&mut rng);
        let medians: Vec<f64> = series.iter().map(|s| draw.median(s)).collect();
        for (all, one) in drawn.iter_mut().zip(statistics(&medians)) {
            all.push(one);
        }
    }
    let found = estimates.into_iter().zip(&mut drawn);
    Ok(found
        .map(|(estimate, drawn)| interval(estimate, drawn, how.confidence))
        .collect())
}

pub(crate) fn check(series: &[Vec<f64>]) -> Result<(), StatsError> {
    let found = series.iter().map(Vec::len).sum();
    if found > 0 && series.iter().any(Vec::is_empty) {
        return Err(StatsError::EmptyRepeat);
    }
    if found < MIN_SAMPLES {
        return Err(StatsError::TooFew { found });
    }
    let bad = |t: &&f64| !t.is_finite() || **t <= 0.0;
    match series.iter().flatten().find(bad) {
        Some(&value) => Err(StatsError::NotATime { value }),
        None => Ok(()),
    }
}

pub(crate) fn median_of(series: &[Vec<f64>]) -> f64 {
    median_in_place(&mut series.concat())
}

/// The percentile interval; it holds the estimate, which a skewed draw might leave out by a hair.
pub(crate) fn interval(estimate: f64, drawn: &mut [f64], confidence: f64) -> Interval {
    drawn.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = match drawn.is_empty() {
        true => (estimate, estimate),
        false => (quantile(drawn, tail), quantile(drawn, 1.0 - tail)),
    };
    Interval {
        estimate,
        low: low.min(estimate),
        high: high.max(estimate),
    }
}

/// Positions drawn from repeats of given lengths.
pub(crate) struct Draw {
    lengths: Vec<usize>,
    block: Option<usize>,
    places: Vec<(usize, usize)>,
    values: Vec<f64>,
}

impl Draw {
    pub(crate) fn new(series: &[Vec<f64>], how: &Resampling) -> Self {
        Draw {
            lengths: series.iter().map(Vec::len).collect(),
            block: how.block,
            places: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Draws anew: repeats as wholes, then blocks of neighbours in each.
    pub(crate) fn next(&mut self, rng: &mut StdRng) {
        self.places.clear();
        let repeats = self.lengths.len();
        for place in 0..repeats {
            let repeat = match repeats {
                1 => place,
                _ => rng.random_range(0..repeats),
            };
            let length = self.lengths[repeat];
            let block = self.block.unwrap_or_else(|| block(length));
            let end = self.places.len() + length;
            while self.places.len() < end {
                let start = rng.random_range(0..length);
                let take = block.max(1).min(end - self.places.len());
                self.places
                    .extend((start..start + take).map(|i| (repeat, i % length)));
            }
        }
    }

    /// The median of what is drawn, of a series with these lengths.
    pub(crate) fn median(&mut self, series: &[Vec<f64>]) -> f64 {
        self.values.clear();
        self.values
            .extend(self.places.iter().map(|&(repeat, i)| series[repeat][i]));
        median_in_place(&mut self.values)
    }
}

/// How many neighbours of so many samples are drawn together.
fn block(samples: usize) -> usize {
    let cube_root = (1..).find(|b: &usize| b.pow(3) >= samples).unwrap_or(1);
    (2 * cube_root).min(samples / 4).max(1)
}

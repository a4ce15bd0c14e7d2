//! Statistics of times: percentiles, intervals, outliers, warm-up.
//!
//! docs/ledger.md tells the methods and their sources.

mod bootstrap;
mod growth;
mod outliers;
mod percentiles;
mod verdict;
mod warmup;

pub use bootstrap::{
    Interval, MIN_SAMPLES, Resampling, StatsError, medians_interval, ratio_paired, ratio_unpaired,
};
pub use growth::{Growth, Sized, exponent, growth};
pub use outliers::Outliers;
pub use percentiles::{Percentiles, median, quantile};
pub use verdict::{DEFAULT_MARGIN, Verdict};
pub use warmup::WarmUpRule;

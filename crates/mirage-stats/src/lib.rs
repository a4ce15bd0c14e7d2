//! Statistics of measured times: percentiles, bootstrap intervals, outliers, verdicts, warm-up.
//!
//! The methods and their sources are in `docs/reference/ledger.md`.
//!
//! ```
//! use std::time::Duration;
//! use mirage_stats::Percentiles;
//!
//! let times = [40, 10, 30, 20].map(Duration::from_millis);
//! assert_eq!(Percentiles::of_times(&times).map(|p| p.p50), Some(25.0));
//! ```

mod bootstrap;
mod growth;
mod outliers;
mod paired;
mod percentiles;
mod verdict;
mod warmup;

pub use bootstrap::{
    Interval, MIN_SAMPLES, Resampling, StatsError, medians_interval, ratio_paired, ratio_unpaired,
};
pub use growth::{Growth, Sized, exponent, growth};
pub use outliers::Outliers;
pub use paired::Ratio;
pub use percentiles::{Percentiles, median, quantile};
pub use verdict::{DEFAULT_MARGIN, Verdict};
pub use warmup::WarmUpRule;

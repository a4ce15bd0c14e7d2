//! The ledger: measures what each pass gains in time, memory and error.
//!
//! A [`plan`](plan::plan) has the sets of passes to measure and the rows that show them;
//! [`measure`](measure::measure) runs the sets in turn; [`assemble`](ledger::assemble) creates rows from the
//! times and facts of each set; a [`Ledger`](ledger::Ledger) can be saved, [compared](compare::compare),
//! shown [over time](history::history) and [rendered](render). Sets are measured through the trait
//! [`Subject`](measure::Subject), so this crate does not depend on models or backends. docs/reference/ledger.md tells the rows, the fields and the statistics. What the machine can do and
//! what else keeps it busy is in [`machine`].
//!
//! ```
//! use std::{ops::ControlFlow, time::Duration};
//!
//! use mirage_bench::ledger::{Facts, PassId, Rules, assemble};
//! use mirage_bench::measure::{MeasureOptions, MonotonicClock, Subject, measure};
//! use mirage_bench::plan::{PlanOptions, plan};
//! use mirage_bench::stats::{DEFAULT_MARGIN, Resampling};
//!
//! /// A frame, which each pass makes shorter by a fifth; a real one measures its time.
//! struct Frame(usize);
//!
//! impl Subject for Frame {
//!     fn run(&mut self) -> Result<Duration, String> {
//!         Ok(Duration::from_micros(1000).mul_f64(0.8_f64.powi(self.0 as i32)))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let passes = ["sdpa", "fuse"].map(|name| PassId {
//!     name: name.to_owned(),
//!     version: 1,
//!     spec: name.to_owned(),
//! });
//! let plan = plan(passes.len(), PlanOptions::default(), |_| Ok(()))?;
//! let mut frames: Vec<Frame> = plan.subjects.iter().map(|set| Frame(set.len())).collect();
//! let mut subjects: Vec<&mut dyn Subject> =
//!     frames.iter_mut().map(|f| f as &mut dyn Subject).collect();
//! let options = MeasureOptions { max_rounds: 20, ..MeasureOptions::default() };
//! let clock = MonotonicClock::default();
//! let measured = measure(&mut subjects, &options, &clock, &mut |_| ControlFlow::Continue(()))?;
//! let facts = vec![Facts::default(); plan.subjects.len()];
//! let rules = Rules {
//!     resampling: Resampling::default(),
//!     margin: DEFAULT_MARGIN,
//!     roofline: None,
//! };
//! let results = assemble(&plan, &passes, &measured, &facts, &rules)?;
//! let all = results.rows.last().and_then(|row| row.against_none.as_ref());
//! assert!(all.is_some_and(|speed_up| (speed_up.ratio - 1.5625).abs() < 1e-3));
//! # Ok(())
//! # }
//! ```

pub mod compare;
pub mod frame_error;
pub mod history;
pub mod ledger;
pub mod measure;
pub mod plan;
pub mod profile;
pub mod race;
pub mod render;

pub use mirage_machine as machine;
pub use mirage_stats as stats;

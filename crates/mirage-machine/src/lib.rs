//! Describes the machine: hardware, measured peak rates, and load from other processes.
//!
//! - [`Machine::here`]: processor, cores, caches, memory, operating system; [`Graphics::here`]: cards and
//!   drivers; [`libraries`]: libraries and programs that backends may use.
//! - [`measure_rates`], or [`measure_roofline`] for two numbers: peak rates of arithmetic and memory.
//! - [`Watch`]: load from other processes and the hypervisor, and clock speed, during a measurement;
//!   [`Load::warnings`] describes it in words.
//!
//! What the system does not report is `None`.
//!
//! ```no_run
//! use mirage_machine::{RateOptions, Watch, measure_roofline};
//!
//! # fn main() -> Result<(), mirage_machine::RateError> {
//! let roofline = measure_roofline(&RateOptions::default())?;
//! let watch = Watch::start();
//! // measure something here
//! let load = watch.finish();
//! for warning in load.warnings() {
//!     eprintln!("{warning} (peak {:.0} GFLOP/s)", roofline.gflops);
//! }
//! # Ok(())
//! # }
//! ```

mod cache;
mod graphics;
mod library;
mod load;
mod machine;
mod processor;
mod rates;
mod sys;

pub use cache::{Cache, CacheKind};
pub use graphics::{Card, Graphics};
pub use library::{Library, libraries};
pub use load::{BusyProcess, Clock, Load, Watch};
pub use machine::{Machine, Memory, System};
pub use processor::Processor;
pub use rates::{RateError, RateOptions, Rates, Roofline, measure_rates, measure_roofline};

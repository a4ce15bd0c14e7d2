//! What the machine is, what it can do, and what else keeps it busy.
//!
//! - [`Machine::here`]: processor, cores, caches, memory, operating system; [`Graphics::here`]: cards and
//!   drivers; [`libraries`]: what backends may want, and where it is.
//! - [`measure_rates`], or [`measure_roofline`] where two numbers do: what arithmetic and memory reach.
//! - [`Watch`]: around a measurement, what other processes, the hypervisor and the clock did meanwhile;
//!   [`Load::warnings`] says it in words.
//!
//! What a system does not tell is `None`, never a guess.
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

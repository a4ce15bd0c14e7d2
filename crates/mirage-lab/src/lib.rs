//! Measuring and choosing, as a library: what `mirage bench`, `tune`, `doctor`, `parity`, `profile` and
//! `infer` do, without their arguments and tables.
//!
//! A [`Job`] says what is run: a model at a size, a sampler, passes, a device of a backend. From it
//! [`subjects`] makes programs that run frames, which [`ledger`] measures against each other,
//! [`tune`] searches through and [`doctor`] tries pass by pass. [`profile`] takes a frame apart,
//! [`parity`] compares results, [`infer`] runs one forward pass, and [`sweep`] measures parts of
//! models by themselves. Statistics, plans and the format of ledgers are in [`mirage_bench`], which
//! needs no engine.
//!
//! Nothing here prints: a driver tells an [`Observer`] how far it is, and asks it whether to go on.

pub mod doctor;
mod error;
pub mod graph_file;
pub mod heap;
pub mod ids;
pub mod infer;
pub mod ledger;
mod observer;
pub mod parity;
pub mod profile;
mod resident;
mod scene;
pub mod subjects;
pub mod sweep;
pub mod tensors;
pub mod tune;

pub use error::{LabError, Result};
pub use mirage::{Job, ModelFacts};
pub use observer::{Event, Observer, Quiet};
pub use resident::Resident;
pub use scene::scene;

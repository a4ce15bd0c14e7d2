//! The drivers behind `mirage bench`, `tune`, `doctor`, `parity`, `profile` and `infer`, as a library.
//!
//! A [`Job`] describes what is run: a model at a size, a sampler, passes and a device of a backend.
//! [`subjects`] compiles it with sets of passes. [`ledger`] measures sets against each other, [`tune`]
//! searches for the fastest and [`doctor`] tries each pass. [`profile`] times the nodes of a frame,
//! [`parity`] compares results, [`infer`] runs one forward pass, and [`sweep`] measures parts of models. Statistics, plans and the format of ledgers are in [`mirage_bench`], which
//! needs no engine.
//!
//! Nothing here prints: a driver reports its progress to an [`Observer`], which can also stop it.

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

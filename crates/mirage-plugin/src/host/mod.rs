//! The program's side: finding plugins, loading them, and passes and backends that are theirs.
//!
//! [`load`] looks in the places of a [`Search`], loads what is there and adds passes and backends to
//! the registries of `mirage_pass` and `mirage_backend`, so that whatever asks those finds them. A
//! plugin that cannot be used is refused with its reason ([`Refusal`]), and the others are loaded.
//! A library is never unloaded.

mod backend;
mod call;
mod describe;
mod executable;
mod file;
mod functions;
mod guard;
mod lend;
mod library;
mod load;
mod loader;
mod log;
mod pass;
mod plugin;
mod refusal;
mod search;

pub use load::{Found, Origin, found, load, origin_of_backend, origin_of_pass};
pub use plugin::Plugin;
pub use refusal::Refusal;
pub use search::{Candidate, FOLDER, PATH_VARIABLE, Place, Search};

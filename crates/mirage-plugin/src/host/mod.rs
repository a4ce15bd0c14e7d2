//! The program's side: finds and loads plugins.
//!
//! [`load`] looks in the folders of a [`Search`], loads the plugins and adds their passes and backends to the
//! registries of `mirage_pass` and `mirage_backend`. A plugin that cannot be used is refused with a reason
//! ([`Refusal`]), and the others are loaded. A library is never unloaded.

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

pub use load::{LoadAttempt, Origin, found, load, origin_of_backend, origin_of_pass};
pub use plugin::Plugin;
pub use refusal::Refusal;
pub use search::{Candidate, FOLDER, PATH_VARIABLE, Place, Search};

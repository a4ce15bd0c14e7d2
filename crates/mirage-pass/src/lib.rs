//! Passes: rewritings of a graph, and the pipeline that runs them.
//!
//! A pass is a [`Pass`] with its metadata, [`PassInfo`]; [`register!`] makes it known and a
//! [`Registry`] holds those that a program knows.

mod info;
mod options;
mod pass;
mod registry;
mod suggest;

pub use info::{CLEANUP, Need, Numerics, PassInfo, Phase};
pub use options::{OptionError, OptionKind, OptionSpec, OptionValue, Options};
pub use pass::{Outcome, Pass, PassContext, PassError};
pub use registry::{PassEntry, Registry, RegistryError};
pub use suggest::nearest;

/// What [`register!`] needs where it is used.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}

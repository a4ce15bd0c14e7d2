//! What the fuzz targets share. `docs/expert/fuzzing.md` says how to run them and what each holds to.

mod case;
mod equivalent;
mod evaluate;
mod network;
mod scratch;
mod sensitivity;

pub use case::Case;
pub use equivalent::equivalent;
pub use evaluate::{evaluate, is_small};
pub use scratch::with_file;
pub use sensitivity::{coarsest_step, distance, sensitivity};

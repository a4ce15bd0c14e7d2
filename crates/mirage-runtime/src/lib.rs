//! Compiles and runs verified graphs on any engine.
//!
//! An engine provides tensors and kernels ([`Engine`]). The runtime does the rest: it replaces regions
//! without a kernel by their bodies, computes what depends on parameters alone, packs weights, plans where
//! values are stored and when they are freed, compiles called bodies once, holds the states, times nodes,
//! and turns an engine's panic into an error that names the node.
//!
//! There are two modes:
//!
//! - [`Slots`]: kernels take and return tensors, which the engine allocates.
//! - [`Planned`]: every buffer has a fixed offset in one allocation of host memory, and kernels read and
//!   write slices ([`HostKernels`]). An execution allocates nothing, except in nodes for which there is
//!   only a kernel on tensors.

mod bodies;
mod catch;
mod context;
mod definition;
pub mod elementwise;
mod engine;
mod flatten;
mod layout;
mod movement;
pub mod planned;
mod prepared;
mod run;
mod slots;
mod stopwatch;

pub use catch::catch;
pub use context::NodeContext;
pub use definition::by_definition;
pub use engine::{Engine, Packing, Tensor};
pub use layout::{Align, in_memory, place};
pub use movement::Movement;
pub use planned::{HostKernels, Planned};
pub use prepared::Prepared;
pub use slots::{Args, Kernel, Results, Slots, call};
pub use stopwatch::Stopwatch;

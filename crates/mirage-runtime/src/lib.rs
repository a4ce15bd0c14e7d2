//! Compiles a verified graph and runs it, for any engine.
//!
//! An engine brings tensors and kernels ([`Engine`]). The runtime does the rest, once for all of them:
//! it replaces regions without a kernel by their bodies, computes what depends on parameters alone,
//! packs weights, decides where values live and when they die, compiles called bodies once, holds the
//! states, times nodes, and turns an engine's panic into an error that names the node.
//!
//! Values live in one of two ways:
//!
//! - [`Slots`]: kernels take and return tensors, which the engine allocates.
//! - [`Planned`]: every buffer has a fixed place in one piece of host memory, and kernels go from slices
//!   to slices ([`HostKernels`]). An execution allocates nothing, except in nodes for which there is only
//!   a kernel on tensors.

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

//! The executor that runs a graph on any burn backend.
//!
//! [`Executor::compile`] resolves everything once: regions are inlined where the backend has no
//! kernel, every node becomes an [`Instruction`] on numbered slots, the last use of a value moves it
//! out of its slot (so that the engine may work in place), what depends on parameters alone is
//! computed, and weights stay only in the form that an execution reads.
//!
//! A value of type `[N,C,H,W]@[0,2,3,1]` is held as a tensor of the physical shape `[N,H,W,C]`.
//! Elementwise operations run on physical tensors; what has axes of its own (convolution, pooling,
//! resampling) takes a permuted view, and its result is brought back to the order of its type.
//!
//! A backend with kernels of its own implements [`Kernels`]; the generic instructions are its
//! fallback and its oracle.

mod call;
mod catch;
mod compile;
mod dtype;
mod executor;
mod external;
mod flatten;
mod kernels;
mod layout;
mod lower;
mod prepared;
mod program;
mod stopwatch;
mod tensor;

pub use dtype::Storage;
pub use executor::{Executor, Passed};
#[cfg(feature = "flex")]
pub use external::on_flex;
pub use external::{ENGINE, ENGINE_VERSION, ExternOp, ExternRunner, HostRunner, InterpreterRunner};
pub use kernels::{Engine, Generic, Kernels, Packing};
pub use layout::Align;
pub use lower::NodeContext;
pub use prepared::Prepared;
pub use program::{Args, Instruction, Kernel, call};
pub use stopwatch::Stopwatch;
pub use tensor::Tensor;

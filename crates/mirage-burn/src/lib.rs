//! Runs graphs on any burn backend, operation by operation: burn backends as engines of the runtime. A
//! backend with its own kernels implements [`Kernels`]; the generic kernels are the fallback and the
//! reference.

mod dtype;
mod engine;
mod external;
mod kernels;
mod lower;
mod tensor;

pub use dtype::Storage;
pub use engine::{Engine, NodeContext};
#[cfg(feature = "flex")]
pub use external::on_flex;
pub use external::{ENGINE, ENGINE_VERSION, ExternOp, ExternRunner, HostRunner, InterpreterRunner};
pub use kernels::{Generic, Kernel, Kernels, TypedArgs};
pub use mirage_runtime::{Align, Packing, Stopwatch, call};
pub use tensor::Tensor;

/// The operands and results of a kernel.
pub type Args<'a, B> = mirage_runtime::Args<'a, Tensor<B>>;

/// A graph compiled for a burn backend.
pub type Executor<B> = mirage_runtime::Slots<Engine<B>>;

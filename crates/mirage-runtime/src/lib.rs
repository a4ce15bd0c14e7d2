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
//!
//! An engine with the minimum of methods, which computes operations by their definitions:
//!
//! ```
//! use mirage_backend::Executable;
//! use mirage_ir::{DType, Graph, Params, TensorData, TensorType, ops::Unary};
//! use mirage_runtime::{Engine, Slots, Tensor};
//!
//! #[derive(Clone)]
//! struct Array(Vec<f32>, Vec<usize>);
//!
//! impl Tensor for Array {
//!     fn shape(&self) -> Vec<usize> {
//!         self.1.clone()
//!     }
//!     fn bytes(&self) -> u64 {
//!         4 * self.0.len() as u64
//!     }
//!     fn reshape(self, shape: &[usize]) -> Self {
//!         Array(self.0, shape.to_vec())
//!     }
//!     fn permute(self, _axes: &[usize]) -> Self {
//!         panic!("this engine has no permute")
//!     }
//!     fn contiguous(self) -> Self {
//!         self
//!     }
//! }
//!
//! #[derive(Clone)]
//! struct Host;
//!
//! impl Engine for Host {
//!     type Tensor = Array;
//!     fn name(&self) -> &'static str {
//!         "host"
//!     }
//!     fn holds(&self, dtype: DType) -> bool {
//!         dtype == DType::F32
//!     }
//!     fn upload(&self, data: &TensorData) -> Result<Array, String> {
//!         let floats = data.bytes().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b));
//!         Ok(Array(floats.collect(), data.shape.clone()))
//!     }
//!     fn download(&self, array: Array, _dtype: DType) -> Result<TensorData, String> {
//!         TensorData::from_f32(array.1, &array.0)
//!     }
//!     fn zeros(&self, shape: &[usize], _dtype: DType) -> Result<Array, String> {
//!         Ok(Array(vec![0.0; shape.iter().product()], shape.to_vec()))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut b = Graph::builder("example");
//! let x = b.input("x", TensorType::new(DType::F32, [1, 2]));
//! let y = b.op(Unary::Relu, &[x])?;
//! b.output("y", y);
//! let mut executable = Slots::compile(&Host, &b.finish()?, &Params::new())?;
//!
//! let x = TensorData::from_f32([1, 2], &[-1.0, 2.0])?;
//! let x = executable.upload(&x, &TensorType::new(DType::F32, [1, 2]))?;
//! let outputs = executable.execute(&[x])?;
//! let y = executable.download(&outputs[0])?;
//! assert_eq!(y.bytes(), TensorData::from_f32([1, 2], &[0.0, 2.0])?.bytes());
//! # Ok(())
//! # }
//! ```

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

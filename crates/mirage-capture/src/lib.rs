//! Any burn module as a [`mirage_ir::Graph`].
//!
//! [`capture`] runs a module once on burn's recording device, where operations are written down
//! instead of executed, and translates the record:
//!
//! - what the graph has an operation for becomes that operation (the `translate` module, a file for each of
//!   burn's families), checked against the dtype and shape that burn recorded;
//! - everything else becomes an [`Extern`](mirage_ir::ops::Extern) that holds burn's own operation
//!   and runs on any burn backend ([`burn_op`]): an unknown operation costs speed, never
//!   correctness;
//! - parameters are named as in the module tree, nodes get the module path that they came from
//!   (see [`Captured`]), and what no result depends on is left out.
//!
//! ```
//! use burn::{nn::LinearConfig, tensor::Device};
//! use mirage_capture::{Spec, capture};
//! use mirage_ir::DType;
//!
//! let linear = LinearConfig::new(8, 4).init(&Device::flex());
//! let captured = capture("linear", &linear, &[Spec::input("x", DType::F32, [2, 8])], |m, x| {
//!     m.forward(x.float::<2>("x"))
//! })?;
//! assert_eq!(captured.graph.params()[0].name.as_ref(), "weight");
//! # Ok::<(), mirage_capture::CaptureError>(())
//! ```

mod build;
pub mod burn_op;
mod capture;
mod data;
mod dtype;
mod error;
mod inputs;
mod names;
mod outputs;
mod paths;
mod record;
mod translate;

pub use capture::{Captured, capture};
pub use dtype::dtype as ir_dtype;
pub use error::CaptureError;
pub use inputs::{Inputs, Role, Spec};
pub use outputs::{IntoOutputs, Outputs};

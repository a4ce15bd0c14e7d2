//! Captures burn modules as [`mirage_ir::Graph`]s.
//!
//! [`capture`] runs a module once on burn's recording device, which records operations instead of executing
//! them, and translates the record:
//!
//! - an operation that the graph supports is translated, and its dtype and shape are compared with burn's;
//! - any other operation becomes an [`Extern`](mirage_ir::ops::Extern) with burn's own form, which runs on
//!   any burn backend ([`burn_op`]), slower but correctly;
//! - parameters are named as in the module tree, nodes get the module path that they came from (see
//!   [`Captured`]), and what no result depends on is left out.
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

//! The reference interpreter: the definition of a graph in f64, slow, with which backends are compared.
//!
//! Floats are computed in f64 and rounded to a dtype only by `cast` and [`Tensor::to_data`]. Integers are
//! exact and wrap at the width of their dtype. Each operation is defined by
//! [`Operation::eval`](crate::Operation::eval).
//!
//! ```
//! use mirage_ir::{DType, Graph, Params, TensorData, TensorType, interp, ops::Linear};
//!
//! let mut b = Graph::builder("example");
//! let x = b.input("x", TensorType::new(DType::F32, [1, 2]));
//! let w = b.param("w", TensorType::new(DType::F32, [2, 2]));
//! let y = b.op(Linear {}, &[x, w])?;
//! b.output("y", y);
//! let graph = b.finish()?;
//!
//! let mut params = Params::new();
//! params.insert("w", TensorData::from_f32([2, 2], &[1.0, 2.0, 3.0, 4.0])?);
//! let input = interp::Tensor::float([1, 2], [10.0, 1.0])?;
//! let run = interp::run(&graph, &params, &[input], &[])?;
//! assert_eq!(run.outputs[0].floats()?, [13.0, 24.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod data;
pub mod index;
pub mod number;
mod run;
mod tensor;
pub(crate) mod window;

pub use compare::Difference;
pub(crate) use run::eval_body;
pub use run::{Run, run, run_values};
pub use tensor::{Elements, Tensor};

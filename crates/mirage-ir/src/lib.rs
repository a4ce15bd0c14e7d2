//! The tensor graph of Mirage, independent of any engine.
//!
//! A [`Graph`] has typed inputs, named parameters, declared states, nodes in topological order and
//! outputs. A [`TensorType`] is a dtype, a logical shape and a memory order. An operation ([`Op`]) has a name
//! and attributes; [`ops`] has all kinds, each with its type rules, its definition in f64 and its cost.
//! Graphs are built by a [`GraphBuilder`], checked by [`verify`], printed and parsed ([`text`]),
//! serialized ([`wire`]), analysed ([`analysis`], [`cost`]) and interpreted ([`interp`]).
//!
//! ```
//! use mirage_ir::{DType, Graph, Params, TensorType, interp, ops::Unary, text};
//!
//! let mut b = Graph::builder("example");
//! let x = b.input("x", TensorType::new(DType::F32, [1, 3]));
//! let y = b.op(Unary::Relu, &[x])?;
//! b.output("y", y);
//! let graph = b.finish()?;
//! assert_eq!(text::parse(&text::print(&graph))?, graph);
//!
//! let x = interp::Tensor::float([1, 3], [-1.0, 0.0, 2.0])?;
//! let run = interp::run(&graph, &Params::new(), &[x], &[])?;
//! assert_eq!(run.outputs[0].floats()?, [0.0, 0.0, 2.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate depends neither on burn nor on a backend.

pub mod analysis;
mod builder;
mod callees;
pub mod cost;
mod dtype;
mod error;
mod flag;
pub mod generate;
mod graph;
pub mod interp;
mod op;
pub mod ops;
mod params;
pub mod regions;
pub mod target;
pub mod text;
mod types;
mod verify;
pub mod wire;

pub use builder::GraphBuilder;
pub use dtype::DType;
pub use error::{GraphError, OpError};
pub use flag::GraphFlag;
pub use graph::{Graph, Node, NodeId, Port, Source, State, Value, ValueId};
pub use op::{Attrs, Op, Operation};
pub use ops::Scalar;
pub use params::{Params, TensorData};
pub use types::{Order, TensorType, same_layout};
pub use verify::verify;

//! The graph of Mirage: what a captured model is, independent of any engine.
//!
//! A [`Graph`] has typed inputs, named parameters, declared states, nodes in topological order and
//! outputs. A [`TensorType`] is a dtype, a logical shape and a memory order. An operation ([`Op`]) is
//! a name and attributes; [`ops`] holds each kind with its rules of types, its definition in f64 and
//! its cost. Graphs are built by a [`GraphBuilder`], checked by [`verify`], printed and parsed
//! ([`text`]), sent ([`wire`]), analysed ([`analysis`], [`cost`]) and interpreted ([`interp`]).
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

//! The text form of graphs, used in dumps, reproducers and snapshot tests.
//!
//! ```text
//! graph "example" {static_plan = true} {
//!   input %0 "frame": f32[1,3,8,8]
//!   param %1 "conv.weight": f32[4,3,1,1]
//!   state %2 "memory": f32[1,4,8,8] -> %4
//!   %3: f32[1,4,8,8] = conv(%0, %1) {dilation = [1, 1], groups = 1, padding = [0, 0], stride = [1, 1]} @ "conv"
//!   %4: f32[1,4,8,8] = add(%3, %2)
//!   %5: f32[1,4,8,8] = region(%4) {kind = "double"} @ "tail" graph "double" {
//!     input %0 "x": f32[1,4,8,8]
//!     %1: f32[1,4,8,8] = add(%0, %0)
//!     output "y" = %1
//!   }
//!   output "image" = %5
//! }
//! ```
//!
//! ```text
//! body "step" graph "step" {
//!   input %0 "sample": f32[1,3,8,8]
//!   param %1 "scale": f32[1,3,1,1]
//!   %2: f32[1,3,8,8] = mul(%0, %1)
//!   output "sample" = %2
//! }
//! graph "frame" {
//!   input %0 "frame": f32[1,3,8,8]
//!   %1: f32[1,3,8,8] = call(%0) body "step"
//!   %2: f32[1,3,8,8] = call(%1) body "step"
//!   output "image" = %2
//! }
//! ```
//!
//! - A statement defines a value before another uses it; only a state's new content (`->`) may come
//!   later. Printing puts inputs, parameters, states, nodes and outputs in this sequence, and
//!   reading takes them in any.
//! - A node is `%N: TYPE = op(operands) {attributes} @ "module path" BODY`. Attributes, path and body are
//!   optional; a second output follows the first after a comma. A body is a graph with its own numbering
//!   of values.
//! - The body of a `call` is a section before the graph. It is written once, and calls refer to it by its
//!   label. A section may call those before it.
//! - Attributes are a TOML inline table. An operation's name that is not a word is in quotes.
//! - `#` begins a comment. White space, including line ends, only separates.
//!
//! Printing numbers the values in the sequence of their definitions, so graphs that differ only in their
//! numbers have the same text, and parsing it gives a graph with those numbers.

mod cursor;
mod parse;
mod print;
mod value;

use std::{fmt, sync::Arc};

pub use parse::{parse, parse_unverified};
pub use print::{PrintOptions, print, print_with};

use crate::{Attrs, Graph, Op, OpError, TensorType, ops};

/// The maximum nesting of bodies, and of arrays and tables in one attribute.
pub(crate) const MAX_DEPTH: usize = 32;

/// Like [`ops::decode`]; an error if the operation has no body but one is given.
pub(crate) fn decode_op(
    name: &str,
    attrs: Attrs,
    body: Option<Arc<Graph>>,
    outputs: &[TensorType],
) -> Result<Op, OpError> {
    let has_body = body.is_some();
    let op = ops::decode(name, attrs, body, outputs)?;
    crate::op_ensure!(!has_body || op.body().is_some(), "takes no body");
    Ok(op)
}

impl fmt::Display for Graph {
    /// Writes the text form; see [`print`](fn@print).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

//! The definition of a graph in f64: slow, plain, and what everything else is compared with.

mod tensor;

use std::sync::Arc;

pub use tensor::{Elements, Tensor};

use crate::{Graph, OpError};

/// Evaluates a body (no parameters, no states) on its inputs in order.
pub(crate) fn eval_body(body: &Arc<Graph>, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
    let _ = (body, inputs);
    Err(OpError::new("not yet"))
}

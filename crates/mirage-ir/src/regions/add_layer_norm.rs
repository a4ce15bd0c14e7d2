//! A residual sum and its layer norm in one.

use super::{RegionKind, read};
use crate::{
    Attrs, Graph, GraphError, OpError, TensorType,
    ops::{Binary, LayerNorm},
};

/// `sum = a + b`, `normed = layer_norm(sum, gamma, beta?)`; attribute `eps` as of [`LayerNorm`].
/// Outputs: `sum`, `normed`.
pub(super) const ADD_LAYER_NORM: RegionKind = RegionKind {
    name: "add_layer_norm",
    summary: "a sum, and the layer norm of it",
    expand,
};

fn expand(attributes: &Attrs, inputs: &[&TensorType]) -> Result<Graph, OpError> {
    let norm: LayerNorm = read(attributes)?;
    crate::op_ensure!(
        matches!(inputs.len(), 3 | 4),
        "takes a, b, gamma, beta?; got {} inputs",
        inputs.len()
    );
    body(norm, inputs).map_err(|e| OpError::new(e.to_string()))
}

fn body(norm: LayerNorm, inputs: &[&TensorType]) -> Result<Graph, GraphError> {
    let mut b = Graph::builder(ADD_LAYER_NORM.name);
    let names = ["a", "b", "gamma", "beta"];
    let values: Vec<_> = names
        .iter()
        .zip(inputs)
        .map(|(&name, &ty)| b.input(name, ty.clone()))
        .collect();
    let sum = b.op(Binary::Add, &values[..2])?;
    let normed = b.op(norm, &[&[sum], &values[2..]].concat())?;
    b.output("sum", sum);
    b.output("normed", normed);
    b.finish()
}

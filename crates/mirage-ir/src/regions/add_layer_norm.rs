//! The region of a residual sum and a layer norm.

use serde::{Deserialize, Serialize};

use super::KnownRegion;
use crate::{
    Graph, GraphError, OpError, TensorType,
    ops::{Binary, LayerNorm},
};

/// `sum = a + b`, `normed = layer_norm(sum, gamma, beta?)`; the attributes are those of [`LayerNorm`].
/// Outputs: `sum`, `normed`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct AddLayerNorm {
    /// The layer norm's attributes.
    pub norm: LayerNorm,
}

impl KnownRegion for AddLayerNorm {
    const KIND: &'static str = "add_layer_norm";
    const SUMMARY: &'static str = "a sum and its layer norm";

    fn expand(&self, inputs: &[&TensorType]) -> Result<Graph, OpError> {
        crate::op_ensure!(
            matches!(inputs.len(), 3 | 4),
            "takes a, b, gamma, beta?; got {} inputs",
            inputs.len()
        );
        body(self.norm, inputs).map_err(|e| OpError::new(e.to_string()))
    }
}

fn body(norm: LayerNorm, inputs: &[&TensorType]) -> Result<Graph, GraphError> {
    let mut b = Graph::builder(AddLayerNorm::KIND);
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

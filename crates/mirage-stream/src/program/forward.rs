//! One forward pass of a network, with its own inputs and outputs.

use mirage_capture::{Captured, Outputs, Spec, capture};
use mirage_model::{AnyModel, Size};

use super::declared::{Becomes, add, dtype, tensor};
use crate::StreamError;

/// One forward pass with the model's own inputs and outputs; its state is among both.
///
/// # Errors
/// A size that the model cannot run at; a model that cannot be captured.
pub fn capture_forward(
    model: &AnyModel,
    batch: usize,
    size: Size,
) -> Result<Captured, StreamError> {
    let inputs = model.input_specs(batch, size.height, size.width)?;
    let specs: Vec<Spec> = inputs
        .iter()
        .map(|s| Spec::input(&s.name, dtype(s), s.shape.clone()))
        .collect();
    let name = model.config().name.clone();
    Ok(capture(&name, model, &specs, |model, x| {
        let values = inputs
            .iter()
            .map(|s| (s.name.clone(), tensor(x, s)))
            .collect();
        // The specs are the model's own, so it has nothing to refuse.
        let outputs = model.forward_named(values).unwrap_or_default();
        outputs
            .into_iter()
            .fold(Outputs::new(), |all, (name, tensor)| {
                add(all, Becomes::Output, name, tensor)
            })
    })?)
}

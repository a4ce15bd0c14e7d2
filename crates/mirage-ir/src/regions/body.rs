//! Shared by the expansions.

use crate::{Graph, GraphBuilder, GraphError, Op, OpError, TensorType, ValueId, ops::Cast};

/// Builds the body of a kind with one result, which `make` adds; the inputs are called `names`.
pub(super) fn body(
    kind: &str,
    names: &[&'static str],
    inputs: &[&TensorType],
    make: impl FnOnce(&mut GraphBuilder, &[ValueId]) -> Result<ValueId, GraphError>,
) -> Result<Graph, OpError> {
    crate::op_ensure!(
        inputs.len() == names.len(),
        "takes {}; got {} inputs",
        names.join(", "),
        inputs.len()
    );
    let mut b = Graph::builder(kind);
    let values: Vec<_> = names
        .iter()
        .zip(inputs)
        .map(|(&name, &ty)| b.input(name, ty.clone()))
        .collect();
    let made = make(&mut b, &values).and_then(|out| {
        b.output("out", out);
        b.finish()
    });
    made.map_err(|e| OpError::new(e.to_string()))
}

/// Adds `norm(x, parameters)`, computed in the parameters' dtype and cast back if x has another one, so
/// that statistics are f32 in a network of narrower floats.
pub(super) fn norm(
    b: &mut GraphBuilder,
    norm: impl Into<Op>,
    x: ValueId,
    parameters: &[ValueId],
) -> Result<ValueId, GraphError> {
    let own = b.ty(x).dtype;
    let wide = parameters.first().map_or(own, |&p| b.ty(p).dtype);
    let cast = |b: &mut GraphBuilder, value, dtype| {
        if own == wide {
            Ok(value)
        } else {
            b.op(Cast { dtype }, &[value])
        }
    };
    let x = cast(b, x, wide)?;
    let normed = b.op(norm, &[&[x], parameters].concat())?;
    cast(b, normed, own)
}

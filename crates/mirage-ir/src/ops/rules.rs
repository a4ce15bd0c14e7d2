//! Type rules that several operations share.

use std::ops::RangeInclusive;

use crate::{DType, Graph, OpError, Order, TensorType, op_bail, op_ensure, types::same_layout};

/// Checks that the number of inputs is in `range`.
pub(super) fn arity(inputs: &[&TensorType], range: RangeInclusive<usize>) -> Result<(), OpError> {
    op_ensure!(
        range.contains(&inputs.len()),
        "takes {} inputs, got {}",
        if range.start() == range.end() {
            range.start().to_string()
        } else if *range.end() == usize::MAX {
            format!("at least {}", range.start())
        } else {
            format!("{} to {}", range.start(), range.end())
        },
        inputs.len()
    );
    Ok(())
}

/// Checks that the inputs are those of a body, in order; returns the types of its outputs.
pub(super) fn body(body: &Graph, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
    arity(inputs, body.inputs().len()..=body.inputs().len())?;
    for (i, (got, port)) in inputs.iter().zip(body.inputs()).enumerate() {
        let want = body.ty(port.value);
        op_ensure!(got.same_memory(want), "input {i} must be {want}, got {got}");
    }
    let outputs = body.outputs().iter();
    Ok(outputs.map(|p| body.ty(p.value).clone()).collect())
}

/// Checks that all inputs have the same dtype; returns it.
pub(super) fn same_dtype(inputs: &[&TensorType]) -> Result<DType, OpError> {
    let first = inputs[0].dtype;
    match inputs.iter().find(|t| t.dtype != first) {
        Some(other) => op_bail!("inputs have different dtypes: {first} and {}", other.dtype),
        None => Ok(first),
    }
}

/// Checks that all inputs have the same floating-point dtype; returns it.
pub(super) fn same_float(inputs: &[&TensorType]) -> Result<DType, OpError> {
    let dtype = same_dtype(inputs)?;
    op_ensure!(
        dtype.is_float(),
        "takes floating-point tensors, got {dtype}"
    );
    Ok(dtype)
}

/// Checks that the input is row-major.
pub(super) fn row_major(input: &TensorType) -> Result<(), OpError> {
    op_ensure!(
        input.is_row_major(),
        "takes row-major tensors, got {input}: a reorder must come before it"
    );
    Ok(())
}

/// Checks that all inputs are row-major.
pub(super) fn all_row_major(inputs: &[&TensorType]) -> Result<(), OpError> {
    inputs.iter().try_for_each(|t| row_major(t))
}

/// Checks the rank of an input.
pub(super) fn rank(what: &str, input: &TensorType, rank: usize) -> Result<(), OpError> {
    op_ensure!(
        input.rank() == rank,
        "{what} must have {rank} dimensions, got {input}"
    );
    Ok(())
}

/// Checks the shape of an input.
pub(super) fn shape(what: &str, input: &TensorType, shape: &[usize]) -> Result<(), OpError> {
    op_ensure!(
        input.shape == shape,
        "{what} must have shape {shape:?}, got {input}"
    );
    Ok(())
}

/// Checks that the dimension exists.
pub(super) fn dim(input: &TensorType, dim: usize) -> Result<(), OpError> {
    op_ensure!(
        dim < input.rank(),
        "dimension {dim} does not exist in {input}"
    );
    Ok(())
}

/// Infers the type of an elementwise operation, except its dtype: inputs have the same rank, and dimensions
/// are equal or 1. Inputs that are not broadcast have the same memory order, which the output keeps.
pub(super) fn broadcast(inputs: &[&TensorType]) -> Result<(Vec<usize>, Order), OpError> {
    let rank = inputs[0].rank();
    let mut shape = vec![1; rank];
    for t in inputs {
        op_ensure!(
            t.rank() == rank,
            "inputs have different ranks: {} and {t}",
            inputs[0]
        );
        for (to, &d) in shape.iter_mut().zip(&t.shape) {
            op_ensure!(
                d == *to || d == 1 || *to == 1,
                "shapes do not broadcast: {}",
                inputs
                    .iter()
                    .map(|t| t.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            if d != 1 {
                *to = d;
            }
        }
    }
    let full: Vec<&TensorType> = inputs
        .iter()
        .copied()
        .filter(|t| t.shape == shape)
        .collect();
    let Some(first) = full.first() else {
        return Ok((shape, Order::row_major(rank)));
    };
    if let Some(other) = full
        .iter()
        .find(|t| !same_layout(&shape, &t.order, &first.order))
    {
        op_bail!("inputs have different memory orders: {first} and {other}");
    }
    Ok((shape, first.order.clone()))
}

/// Checks that there is a length for each spatial dimension, each at least 1.
pub(super) fn positive(what: &str, values: &[usize], len: usize) -> Result<(), OpError> {
    op_ensure!(
        values.len() == len && values.iter().all(|&v| v > 0),
        "{what} must be {len} numbers of at least 1, got {values:?}"
    );
    Ok(())
}

/// Multiplies counts of operations and saturates at `u64::MAX`, because valid shapes may exceed it.
pub(super) fn operations(factors: &[usize]) -> u64 {
    let product = factors
        .iter()
        .try_fold(1u64, |product, &f| product.checked_mul(f as u64));
    match product {
        Some(product) => product,
        None if factors.contains(&0) => 0,
        None => u64::MAX,
    }
}

/// Checks that a length is small enough for further arithmetic; `None` has overflowed already.
pub(super) fn length(value: Option<usize>) -> Result<usize, OpError> {
    value
        .filter(|&v| v <= usize::MAX >> 4)
        .ok_or_else(|| OpError::new("a length, padding, stride or dilation is too large"))
}

/// Computes the output length of a convolution or pool along one dimension: the number of positions where
/// the dilated kernel fits. With `ceil`, one may extend past the end if it starts inside of the input or
/// its left padding, as in PyTorch.
pub(super) fn window(
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil: bool,
) -> Result<usize, OpError> {
    let padded = length(Some(input))? + length(padding.checked_mul(2))?;
    let reach = length(dilation.checked_mul(kernel - 1))? + 1;
    op_ensure!(
        padded >= reach,
        "kernel {kernel} with dilation {dilation} does not fit into {input} with padding {padding}"
    );
    let room = padded - reach;
    let mut out = room / stride + 1;
    if ceil && !room.is_multiple_of(stride) && out * length(Some(stride))? < input + padding {
        out += 1;
    }
    Ok(out)
}

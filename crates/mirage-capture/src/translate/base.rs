//! Operations on tensors of any kind: shapes, indexing, selection, equality.

use burn_ir::{
    BaseOperationIr, CastOpIr, CreationOpIr, MaskFillOpIr, MaskWhereOpIr, ReduceDimOpIr,
    ReduceOpIr, RepeatDimOpIr, ShapeOpIr, SliceOpIr, TensorIr,
};
use mirage_ir::{
    DType, Scalar, TensorType,
    ops::{
        Binary, Concat, Expand, Flip, Full, Gather, IndexSelect, Permute, Reduce, ReduceFn, Select,
        Slice, WithScalar,
    },
};

use super::{Refusal, Rule, Sketch, assign, sketch::Val};
use crate::dtype::{dims, tensor_type};

pub(super) fn translate(op: &BaseOperationIr, s: &mut Sketch) -> Rule {
    use BaseOperationIr as B;
    match op {
        B::Reshape(op) => {
            let x = s.x(&op.input)?;
            let y = s.reshape(x, &dims(&op.out.shape))?;
            s.bind(&op.out, y)
        }
        B::SwapDims(op) => {
            let mut axes: Vec<usize> = (0..op.input.shape.num_dims()).collect();
            axes.swap(op.dim1, op.dim2);
            permute(s, &op.input, axes, &op.out)
        }
        B::Permute(op) => permute(s, &op.input, op.axes.clone(), &op.out),
        B::Flip(op) => {
            let x = s.x(&op.input)?;
            let y = s.op(
                Flip {
                    dims: op.axes.clone(),
                },
                &[x],
            )?;
            s.bind(&op.out, y)
        }
        B::Expand(op) => expand(op, s),
        B::Slice(op) => slice(op, s),
        B::SliceAssign(op) => assign::slice_assign(op, s),
        B::Select(op) => {
            let (x, i) = (s.x(&op.tensor)?, s.x(&op.indices)?);
            let y = s.op(IndexSelect { dim: op.dim }, &[x, i])?;
            s.bind(&op.out, y)
        }
        B::Gather(op) => {
            let (x, i) = (s.x(&op.tensor)?, s.x(&op.indices)?);
            let y = s.op(Gather { dim: op.dim }, &[x, i])?;
            s.bind(&op.out, y)
        }
        B::MaskWhere(op) => mask_where(op, s),
        B::MaskFill(op) => mask_fill(op, s),
        B::Equal(op) => s.binary(Binary::Eq, op),
        B::NotEqual(op) => s.binary(Binary::Ne, op),
        B::EqualElem(op) => s.scalar_op(Binary::Eq, op),
        B::NotEqualElem(op) => s.scalar_op(Binary::Ne, op),
        B::RepeatDim(op) => repeat_dim(op, s),
        B::Cat(op) => {
            let xs = s.xs(&op.tensors)?;
            let y = match xs[..] {
                [x] => x,
                _ => s.op(Concat { dim: op.dim }, &xs)?,
            };
            s.bind(&op.out, y)
        }
        B::Cast(op) => cast(op, s),
        // The content of `empty` is unspecified.
        B::Empty(op) | B::Zeros(op) => filled(op, 0, s),
        B::Ones(op) => filled(op, 1, s),
        B::All(op) => truth_of_all(ReduceFn::All, op, s),
        B::Any(op) => truth_of_all(ReduceFn::Any, op, s),
        B::AllDim(op) => truth_along(ReduceFn::All, op, s),
        B::AnyDim(op) => truth_along(ReduceFn::Any, op, s),
        B::Unfold(_) | B::Scatter(_) | B::ScatterNd(_) | B::GatherNd(_) | B::SelectAssign(_) => {
            Err(Refusal::NoRule)
        }
    }
}

fn permute(s: &mut Sketch, input: &TensorIr, axes: Vec<usize>, out: &TensorIr) -> Rule {
    let x = s.x(input)?;
    let y = if axes.is_sorted() {
        x
    } else {
        s.op(Permute { axes, order: None }, &[x])?
    };
    s.bind(out, y)
}

/// Translates expand, which may add dimensions in front in burn.
fn expand(op: &ShapeOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let shape = dims(&op.out.shape);
    let missing = shape.len().saturating_sub(s.ty(x).rank());
    let mut padded = vec![1; missing];
    padded.extend(&s.ty(x).shape);
    let x = s.reshape(x, &padded)?;
    let y = if padded == shape {
        x
    } else {
        s.op(Expand { shape }, &[x])?
    };
    s.bind(&op.out, y)
}

/// Translates a slice. One with a negative step has no translation.
fn slice(op: &SliceOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.tensor)?;
    let shape = s.ty(x).shape.clone();
    let (mut start, mut end, mut step) =
        (vec![0; shape.len()], shape.clone(), vec![1; shape.len()]);
    for (d, range) in op.ranges.iter().enumerate() {
        let bounds = range.to_range(shape[d]);
        step[d] = usize::try_from(range.step).map_err(|_| Refusal::NoRule)?;
        start[d] = bounds.start.min(bounds.end);
        end[d] = bounds.end;
    }
    let whole = start.iter().all(|&d| d == 0) && end == shape && step.iter().all(|&d| d == 1);
    let y = if whole {
        x
    } else {
        s.op(Slice { start, end, step }, &[x])?
    };
    s.bind(&op.out, y)
}

/// Returns the value where the mask is true, else the tensor.
fn mask_where(op: &MaskWhereOpIr, s: &mut Sketch) -> Rule {
    let (mask, value, x) = (s.x(&op.mask)?, s.x(&op.value)?, s.x(&op.tensor)?);
    let y = s.op(Select {}, &[mask, value, x])?;
    s.bind(&op.out, y)
}

fn mask_fill(op: &MaskFillOpIr, s: &mut Sketch) -> Rule {
    let (mask, x) = (s.x(&op.mask)?, s.x(&op.tensor)?);
    let value = s.scalar(op.value, x)?;
    let ty = TensorType::new(s.ty(x).dtype, vec![1; s.ty(x).rank()]);
    let value = s.op(Full { ty, value }, &[])?;
    let y = s.op(Select {}, &[mask, value, x])?;
    s.bind(&op.out, y)
}

/// Repeats the tensor along a dimension: adds a dimension before it, expands that, and merges both.
fn repeat_dim(op: &RepeatDimOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.tensor)?;
    let shape = s.ty(x).shape.clone();
    let y = if op.times == 1 {
        x
    } else if shape[op.dim] == 1 {
        let mut wide = shape;
        wide[op.dim] = op.times;
        s.op(Expand { shape: wide }, &[x])?
    } else {
        let mut split = shape;
        split.insert(op.dim, 1);
        let x = s.reshape(x, &split)?;
        split[op.dim] = op.times;
        let x = s.op(Expand { shape: split }, &[x])?;
        s.reshape(x, &dims(&op.out.shape))?
    };
    s.bind(&op.out, y)
}

pub(super) fn cast(op: &CastOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let Some(ty) = tensor_type(&op.out) else {
        return Err(Refusal::NoRule);
    };
    let y = s.cast(x, ty.dtype)?;
    s.bind(&op.out, y)
}

fn filled(op: &CreationOpIr, value: i64, s: &mut Sketch) -> Rule {
    let Some(ty) = tensor_type(&op.out) else {
        return Err(Refusal::NoRule);
    };
    let value = match ty.dtype {
        DType::Bool => Scalar::Bool(value != 0),
        dtype if dtype.is_float() => Scalar::Float(value as f64),
        _ => Scalar::Int(value),
    };
    let y = s.op(Full { ty, value }, &[])?;
    s.bind(&op.out, y)
}

/// Converts a number to bool: whether it is not 0.
fn truth(s: &mut Sketch, x: Val) -> Rule<Val> {
    let value = match s.ty(x).dtype {
        DType::Bool => return Ok(x),
        dtype if dtype.is_float() => Scalar::Float(0.0),
        _ => Scalar::Int(0),
    };
    s.op(
        WithScalar {
            f: Binary::Ne,
            value,
        },
        &[x],
    )
}

fn truth_of_all(f: ReduceFn, op: &ReduceOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let x = truth(s, x)?;
    let y = s.op(
        Reduce {
            f,
            dims: (0..s.ty(x).rank()).collect(),
        },
        &[x],
    )?;
    let y = s.reshape(y, &dims(&op.out.shape))?;
    s.bind(&op.out, y)
}

fn truth_along(f: ReduceFn, op: &ReduceDimOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let x = truth(s, x)?;
    let y = s.op(
        Reduce {
            f,
            dims: vec![op.axis],
        },
        &[x],
    )?;
    s.bind(&op.out, y)
}

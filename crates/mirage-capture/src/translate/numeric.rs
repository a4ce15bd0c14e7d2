//! Arithmetic, comparisons and reductions of floats and integers.

use burn_ir::{
    BinaryOpIr, ClampOpIr, FullOpIr, NumericOperationIr, PadModeIr, PadOpIr, ReduceDimOpIr,
    ReduceOpIr, ScalarOpIr,
};
use mirage_ir::{
    DType,
    ops::{ArgReduce, Binary, Full, Pad, PadMode, Reduce, ReduceFn, Unary, WithScalar},
};

use super::{Refusal, Rule, Sketch, sketch::Val};
use crate::dtype::{dims, tensor_type};

pub(super) fn translate(op: &NumericOperationIr, s: &mut Sketch) -> Rule {
    use NumericOperationIr as N;
    match op {
        N::Add(op) => s.binary(Binary::Add, op),
        N::AddScalar(op) => s.scalar_op(Binary::Add, op),
        N::Sub(op) => s.binary(Binary::Sub, op),
        N::SubScalar(op) => s.scalar_op(Binary::Sub, op),
        N::Mul(op) => s.binary(Binary::Mul, op),
        N::MulScalar(op) => s.scalar_op(Binary::Mul, op),
        N::Div(op) => s.binary(Binary::Div, op),
        N::DivScalar(op) => s.scalar_op(Binary::Div, op),
        N::Rem(op) => s.binary(Binary::Rem, op),
        N::RemScalar(op) => s.scalar_op(Binary::Rem, op),
        N::Greater(op) => s.binary(Binary::Gt, op),
        N::GreaterElem(op) => s.scalar_op(Binary::Gt, op),
        N::GreaterEqual(op) => s.binary(Binary::Ge, op),
        N::GreaterEqualElem(op) => s.scalar_op(Binary::Ge, op),
        N::Lower(op) => s.binary(Binary::Lt, op),
        N::LowerElem(op) => s.scalar_op(Binary::Lt, op),
        N::LowerEqual(op) => s.binary(Binary::Le, op),
        N::LowerEqualElem(op) => s.scalar_op(Binary::Le, op),
        N::ClampMin(op) => s.scalar_op(Binary::Max, op),
        N::ClampMax(op) => s.scalar_op(Binary::Min, op),
        N::Clamp(op) => clamp(op, s),
        N::Abs(op) => s.unary(Unary::Abs, op),
        N::Neg(op) => s.unary(Unary::Neg, op),
        N::Sign(op) => s.unary(Unary::Sign, op),
        N::PowiScalar(op) => power_scalar(op, s),
        N::Powi(op) => power(op, s),
        N::Full(op) => full(op, s),
        N::Pad(op) => pad(op, s),
        N::Sum(op) => reduce_all(ReduceFn::Sum, op, s),
        N::Prod(op) => reduce_all(ReduceFn::Prod, op, s),
        N::Mean(op) => reduce_all(ReduceFn::Mean, op, s),
        N::Max(op) => reduce_all(ReduceFn::Max, op, s),
        N::Min(op) => reduce_all(ReduceFn::Min, op, s),
        N::MaxAbs(op) => {
            let x = s.x(&op.input)?;
            let x = s.op(Unary::Abs, &[x])?;
            let y = reduce(s, ReduceFn::Max, x, (0..s.ty(x).rank()).collect())?;
            let y = s.reshape(y, &dims(&op.out.shape))?;
            s.bind(&op.out, y)
        }
        N::SumDim(op) => reduce_dim(ReduceFn::Sum, op, s),
        N::ProdDim(op) => reduce_dim(ReduceFn::Prod, op, s),
        N::MeanDim(op) => reduce_dim(ReduceFn::Mean, op, s),
        N::MaxDim(op) => reduce_dim(ReduceFn::Max, op, s),
        N::MinDim(op) => reduce_dim(ReduceFn::Min, op, s),
        N::MaxAbsDim(op) => {
            let x = s.x(&op.input)?;
            let x = s.op(Unary::Abs, &[x])?;
            let y = reduce(s, ReduceFn::Max, x, vec![op.axis])?;
            s.bind(&op.out, y)
        }
        N::SumDims(op) => {
            let mut axes = op.axes.clone();
            axes.sort_unstable();
            axes.dedup();
            let x = s.x(&op.input)?;
            let y = reduce(s, ReduceFn::Sum, x, axes)?;
            s.bind(&op.out, y)
        }
        N::ArgMax(op) => {
            let x = s.x(&op.input)?;
            let y = arg(s, true, x, op.axis, &op.out)?;
            s.bind(&op.out, y)
        }
        N::ArgMin(op) => {
            let x = s.x(&op.input)?;
            let y = arg(s, false, x, op.axis, &op.out)?;
            s.bind(&op.out, y)
        }
        N::MaxDimWithIndices(op) => {
            let x = s.x(&op.tensor)?;
            let y = reduce(s, ReduceFn::Max, x, vec![op.dim])?;
            let i = arg(s, true, x, op.dim, &op.out_indices)?;
            s.bind(&op.out, y)?;
            s.bind(&op.out_indices, i)
        }
        N::MinDimWithIndices(op) => {
            let x = s.x(&op.tensor)?;
            let y = reduce(s, ReduceFn::Min, x, vec![op.dim])?;
            let i = arg(s, false, x, op.dim, &op.out_indices)?;
            s.bind(&op.out, y)?;
            s.bind(&op.out_indices, i)
        }
        N::ArgTopK(_)
        | N::TopK(_)
        | N::TopKWithIndices(_)
        | N::Sort(_)
        | N::SortWithIndices(_)
        | N::ArgSort(_)
        | N::CumSum(_)
        | N::CumProd(_)
        | N::CumMin(_)
        | N::CumMax(_)
        | N::IntRandom(_) => Err(Refusal::NoRule),
    }
}

fn clamp(op: &ClampOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.tensor)?;
    let (min, max) = (s.scalar(op.min, x)?, s.scalar(op.max, x)?);
    let y = s.op(
        WithScalar {
            f: Binary::Max,
            value: min,
        },
        &[x],
    )?;
    let y = s.op(
        WithScalar {
            f: Binary::Min,
            value: max,
        },
        &[y],
    )?;
    s.bind(&op.out, y)
}

/// Translates powers of floats. Powers of integers have no translation.
pub(super) fn power_scalar(op: &ScalarOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.lhs)?;
    if !s.ty(x).dtype.is_float() {
        return Err(Refusal::NoRule);
    }
    s.scalar_op(Binary::Pow, op)
}

/// Translates a float to an integer's power. Half precision cannot represent every integer exponent.
fn power(op: &BinaryOpIr, s: &mut Sketch) -> Rule {
    let (x, exponent) = (s.x(&op.lhs)?, s.x(&op.rhs)?);
    let dtype = s.ty(x).dtype;
    if !matches!(dtype, DType::F32 | DType::F64) {
        return Err(Refusal::NoRule);
    }
    let exponent = s.cast(exponent, dtype)?;
    let y = s.op(Binary::Pow, &[x, exponent])?;
    s.bind(&op.out, y)
}

fn full(op: &FullOpIr, s: &mut Sketch) -> Rule {
    let Some(ty) = tensor_type(&op.out) else {
        return Err(Refusal::NoRule);
    };
    let value = crate::dtype::scalar(op.value, ty.dtype).ok_or(Refusal::NoRule)?;
    let y = s.op(Full { ty, value }, &[])?;
    s.bind(&op.out, y)
}

fn pad(op: &PadOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let (mode, value) = match op.mode {
        PadModeIr::Constant(value) => (PadMode::Constant, Some(s.scalar(value, x)?)),
        PadModeIr::Reflect => (PadMode::Reflect, None),
        PadModeIr::Edge => (PadMode::Edge, None),
    };
    // burn pads the last dimensions if fewer are given.
    let missing = s
        .ty(x)
        .rank()
        .checked_sub(op.padding.len())
        .ok_or(Refusal::NoRule)?;
    let side = |f: fn(&(usize, usize)) -> usize| {
        std::iter::repeat_n(0, missing)
            .chain(op.padding.iter().map(f))
            .collect()
    };
    let y = s.op(
        Pad {
            before: side(|p| p.0),
            after: side(|p| p.1),
            mode,
            value,
        },
        &[x],
    )?;
    s.bind(&op.out, y)
}

/// Translates a mean. A mean of integers, which burn truncates, has no translation.
fn reduce(s: &mut Sketch, f: ReduceFn, x: Val, dims: Vec<usize>) -> Rule<Val> {
    if f == ReduceFn::Mean && !s.ty(x).dtype.is_float() {
        return Err(Refusal::NoRule);
    }
    s.op(Reduce { f, dims }, &[x])
}

/// Translates the reduction of all dimensions, whose result has rank 1 in burn.
fn reduce_all(f: ReduceFn, op: &ReduceOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let y = reduce(s, f, x, (0..s.ty(x).rank()).collect())?;
    let y = s.reshape(y, &dims(&op.out.shape))?;
    s.bind(&op.out, y)
}

fn reduce_dim(f: ReduceFn, op: &ReduceDimOpIr, s: &mut Sketch) -> Rule {
    let x = s.x(&op.input)?;
    let y = reduce(s, f, x, vec![op.axis])?;
    s.bind(&op.out, y)
}

fn arg(s: &mut Sketch, max: bool, x: Val, dim: usize, out: &burn_ir::TensorIr) -> Rule<Val> {
    let Some(ty) = tensor_type(out) else {
        return Err(Refusal::NoRule);
    };
    s.op(
        ArgReduce {
            max,
            dim,
            dtype: ty.dtype,
        },
        &[x],
    )
}

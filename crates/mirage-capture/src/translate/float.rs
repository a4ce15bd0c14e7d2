//! Operations on floats only.

use burn_ir::{
    FloatOperationIr, GridSample2dOpIr, GridSamplePaddingModeIr, InterpolateModeIr, MatmulOpIr,
};
use mirage_ir::ops::{Binary, GridSample, Matmul, SampleMode, SamplePadding, Unary};

use super::{Refusal, Rule, Sketch, base};

pub(super) fn translate(op: &FloatOperationIr, s: &mut Sketch) -> Rule {
    use FloatOperationIr as F;
    match op {
        F::Exp(op) => s.unary(Unary::Exp, op),
        F::Log(op) => s.unary(Unary::Log, op),
        F::Log1p(op) => s.unary(Unary::Log1p, op),
        F::Erf(op) => s.unary(Unary::Erf, op),
        F::Sqrt(op) => s.unary(Unary::Sqrt, op),
        F::Recip(op) => s.unary(Unary::Recip, op),
        F::Cos(op) => s.unary(Unary::Cos, op),
        F::Cosh(op) => s.unary(Unary::Cosh, op),
        F::Sin(op) => s.unary(Unary::Sin, op),
        F::Sinh(op) => s.unary(Unary::Sinh, op),
        F::Tan(op) => s.unary(Unary::Tan, op),
        F::Tanh(op) => s.unary(Unary::Tanh, op),
        F::ArcCos(op) => s.unary(Unary::Acos, op),
        F::ArcSin(op) => s.unary(Unary::Asin, op),
        F::ArcTan(op) => s.unary(Unary::Atan, op),
        F::Round(op) => s.unary(Unary::Round, op),
        F::Floor(op) => s.unary(Unary::Floor, op),
        F::Ceil(op) => s.unary(Unary::Ceil, op),
        F::Trunc(op) => s.unary(Unary::Trunc, op),
        F::IsNan(op) => s.unary(Unary::IsNan, op),
        F::IsInf(op) => s.unary(Unary::IsInf, op),
        F::PowfScalar(op) => s.scalar_op(Binary::Pow, op),
        F::Powf(op) => s.binary(Binary::Pow, op),
        F::IntoInt(op) => base::cast(op, s),
        F::Matmul(op) => matmul(op, s),
        F::GridSample2d(op) => grid_sample(op, s),
        F::ArcCosh(_)
        | F::ArcSinh(_)
        | F::ArcTanh(_)
        | F::ArcTan2(_)
        | F::Cross(_)
        | F::Random(_)
        | F::Quantize(_)
        | F::Dequantize(_)
        | F::Hypot(_) => Err(Refusal::NoRule),
    }
}

pub(super) fn matmul(op: &MatmulOpIr, s: &mut Sketch) -> Rule {
    let (a, b) = (s.x(&op.lhs)?, s.x(&op.rhs)?);
    let y = s.op(Matmul {}, &[a, b])?;
    s.bind(&op.out, y)
}

fn grid_sample(op: &GridSample2dOpIr, s: &mut Sketch) -> Rule {
    let (x, grid) = (s.x(&op.tensor)?, s.x(&op.grid)?);
    let mode = match op.options.mode {
        InterpolateModeIr::Bilinear => SampleMode::Bilinear,
        InterpolateModeIr::Nearest => SampleMode::Nearest,
        _ => return Err(Refusal::NoRule),
    };
    let padding = match op.options.padding_mode {
        GridSamplePaddingModeIr::Border => SamplePadding::Border,
        GridSamplePaddingModeIr::Reflection => SamplePadding::Reflection,
        GridSamplePaddingModeIr::Zeros => SamplePadding::Zeros,
    };
    let y = s.op(
        GridSample {
            mode,
            padding,
            align_corners: op.options.align_corners,
        },
        &[x, grid],
    )?;
    s.bind(&op.out, y)
}

//! Functions of an element and a scalar, and constants.

use super::generator::{Generator, Recipe};
use crate::{
    DType, GraphError, Scalar, TensorType,
    ops::{Binary, Constant, Full, WithScalar},
};

pub(super) const RECIPES: &[Recipe] = &[with_float, with_int, with_bool, full, constant];

fn allowed(g: &Generator, f: Binary) -> bool {
    let op = WithScalar {
        f,
        value: Scalar::Int(0),
    };
    g.allows(&[&crate::Operation::name(&op)])
}

fn with_float(g: &mut Generator) -> Result<bool, GraphError> {
    use Binary::*;
    let all = [
        Add, Sub, Mul, Max, Min, Div, Pow, Rem, Eq, Ge, Gt, Le, Lt, Ne,
    ];
    let functions = if g.options.continuous {
        &all[..7]
    } else {
        &all
    };
    let Some(&f) = g.rng.choose(functions) else {
        return Ok(false);
    };
    let Some(x) = g.pick(|t| t.dtype.is_float()).filter(|_| allowed(g, f)) else {
        return Ok(false);
    };
    // In quarters, which every dtype holds, and away from 0 for divisors.
    let quarters = g.rng.between(1, 12) as f64 / 4.0;
    let sign = if g.rng.chance(0.5) { -1.0 } else { 1.0 };
    let value = match f {
        Pow => *g.rng.choose(&[2.0, 3.0]).unwrap_or(&2.0),
        _ => sign * quarters,
    };
    let bound = match f {
        Add | Sub => x.bound + quarters,
        Mul => x.bound * quarters,
        Div => x.bound / quarters,
        Pow => x.bound.max(1.0).powf(value),
        Rem => quarters,
        f if f.is_comparison() => 1.0,
        _ => x.bound.max(quarters),
    };
    g.node(WithScalar::float(f, value), &[x.value], bound)?;
    Ok(true)
}

fn with_int(g: &mut Generator) -> Result<bool, GraphError> {
    use Binary::*;
    let functions = [Add, Sub, Mul, Max, Min, Div, Rem, Eq, Ge, Gt, Le, Lt, Ne];
    let Some(&f) = g.rng.choose(&functions) else {
        return Ok(false);
    };
    let Some(x) = g.pick(|t| t.dtype.is_int()).filter(|_| allowed(g, f)) else {
        return Ok(false);
    };
    let magnitude = g.rng.between(1, 9) as i64;
    let value = if g.rng.chance(0.5) {
        -magnitude
    } else {
        magnitude
    };
    let bound = match f {
        Add | Sub => x.bound + 9.0,
        Mul => x.bound * 9.0,
        f if f.is_comparison() => 1.0,
        _ => x.bound.max(9.0),
    };
    g.node(
        WithScalar {
            f,
            value: Scalar::Int(value),
        },
        &[x.value],
        bound,
    )?;
    Ok(true)
}

fn with_bool(g: &mut Generator) -> Result<bool, GraphError> {
    use Binary::*;
    let Some(&f) = g.rng.choose(&[And, Or, Xor, Eq, Ne]) else {
        return Ok(false);
    };
    let Some(x) = g.pick(|t| t.dtype == DType::Bool).filter(|_| allowed(g, f)) else {
        return Ok(false);
    };
    let value = Scalar::Bool(g.rng.chance(0.5));
    g.node(WithScalar { f, value }, &[x.value], 1.0)?;
    Ok(true)
}

/// A value of this dtype: floats from −1 to 1 in quarters, integers from −4 to 4.
fn element(g: &mut Generator, dtype: DType) -> Scalar {
    let n = g.rng.between(0, 8) as i64 - 4;
    match dtype {
        DType::Bool => Scalar::Bool(n > 0),
        d if d.is_float() => Scalar::Float(n as f64 / 4.0),
        _ => Scalar::Int(n),
    }
}

fn any_dtype(g: &mut Generator) -> DType {
    let float = g.dtype();
    *g.rng
        .choose(&[float, float, DType::I64, DType::I32, DType::Bool])
        .unwrap_or(&float)
}

fn full(g: &mut Generator) -> Result<bool, GraphError> {
    if !g.allows(&["full"]) {
        return Ok(false);
    }
    let dtype = any_dtype(g);
    let ty = TensorType::new(dtype, g.shape());
    let value = element(g, dtype);
    g.node(Full { ty, value }, &[], 4.0)?;
    Ok(true)
}

fn constant(g: &mut Generator) -> Result<bool, GraphError> {
    let dtype = any_dtype(g);
    let ty = TensorType::new(dtype, g.shape());
    if !g.allows(&["constant"]) || ty.numel() > Constant::MAX_ELEMENTS {
        return Ok(false);
    }
    let values = (0..ty.numel()).map(|_| element(g, dtype)).collect();
    g.node(Constant { ty, values }, &[], 4.0)?;
    Ok(true)
}

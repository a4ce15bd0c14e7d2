//! Regions of functions of elements in which values pass through half precision and back.

use std::sync::Arc;

use super::{
    Options,
    generator::{Generator, Recipe},
};
use crate::{
    Attrs, DType, Graph, GraphError,
    ops::{Binary, Cast, Region, Unary, WithScalar},
    regions::ELEMENTWISE,
};

pub(super) const RECIPES: &[Recipe] = &[chain, chain];

/// Whether the options ask for f32 and a half. Without, the recipes are not among the others, so that
/// graphs of a seed stay what they are.
pub(super) fn applies(options: &Options) -> bool {
    options.dtypes.contains(&DType::F32) && halves(options).next().is_some()
}

fn halves(options: &Options) -> impl Iterator<Item = DType> + '_ {
    let is_half = |d: &DType| matches!(d, DType::F16 | DType::BF16);
    options.dtypes.iter().copied().filter(is_half)
}

/// A chain of functions and casts on an f32 value, back to f32 at its end: a kernel for the region must
/// round where a cast is, though nothing of half precision reaches memory.
fn chain(g: &mut Generator) -> Result<bool, GraphError> {
    let halves: Vec<DType> = halves(g.options).collect();
    if !g.allows(&["region"]) {
        return Ok(false);
    }
    let Some(x) = g.pick(|t| t.dtype == DType::F32) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let mut body = Graph::builder(ELEMENTWISE);
    let (mut value, mut bound) = (body.input("x0", ty), x.bound);
    for _ in 0..g.rng.between(1, 3) {
        for _ in 0..g.rng.between(0, 2) {
            (value, bound) = match g.rng.between(0, 3) {
                0 => (
                    body.op(WithScalar::float(Binary::Mul, 3.0), &[value])?,
                    3.0 * bound,
                ),
                1 => (
                    body.op(WithScalar::float(Binary::Add, 0.37), &[value])?,
                    bound + 0.37,
                ),
                2 => (body.op(Unary::Tanh, &[value])?, 1.0),
                _ => (body.op(Unary::Neg, &[value])?, bound),
            };
        }
        let half = g.rng.choose(&halves).copied().unwrap_or(DType::F16);
        value = body.op(Cast { dtype: half }, &[value])?;
        if let Some(&other) = g.rng.choose(&halves).filter(|other| **other != half) {
            value = body.op(Cast { dtype: other }, &[value])?;
        }
        // Without functions of half precision, which engines round and the definition does not.
        value = body.op(Cast { dtype: DType::F32 }, &[value])?;
    }
    body.output("out", value);
    let region = Region::new(ELEMENTWISE, Attrs::new(), Arc::new(body.finish()?));
    g.node(region, &[x.value], bound)?;
    Ok(true)
}

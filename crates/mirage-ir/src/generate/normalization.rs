//! Normalizations, softmax, reductions and regions.

use std::sync::Arc;

use super::generator::{Generator, Operand, Recipe};
use crate::{
    Attrs, DType, Graph, GraphError, TensorType, ValueId,
    ops::{
        ArgReduce, BatchNorm, Binary, GroupNorm, LayerNorm, Reduce, ReduceFn, Region, Softmax,
        Unary,
    },
    regions,
};

pub(super) const RECIPES: &[Recipe] = &[
    batch_norm,
    group_norm,
    layer_norm,
    softmax,
    reduce,
    arg_reduce,
    known_region,
    free_region,
];

fn eps(g: &mut Generator) -> f64 {
    *g.rng.choose(&[1e-3, 1e-2, 0.1]).unwrap_or(&1e-3)
}

/// Gamma and beta of `channels` elements.
fn affine(g: &mut Generator, dtype: DType, channels: usize) -> Result<[ValueId; 2], GraphError> {
    let ty = TensorType::new(dtype, [channels]);
    Ok([g.floats(ty.clone(), 0.5, 1.5)?, g.floats(ty, -0.5, 0.5)?])
}

/// The most that an element can be after normalization over `n` elements, gamma and beta.
fn normalized(g: &Generator, n: usize) -> f64 {
    ((n as f64).sqrt() * 1.5 + 0.5) * g.options.range.max(1.0)
}

fn batch_norm(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g
        .pick(|t| t.dtype.is_float())
        .filter(|_| g.allows(&["batch_norm"]))
    else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let [gamma, beta] = affine(g, ty.dtype, ty.shape[1])?;
    let statistics = TensorType::new(ty.dtype, [ty.shape[1]]);
    let mean = g.floats(statistics.clone(), -0.5, 0.5)?;
    let variance = g.floats(statistics, 0.5, 1.5)?;
    let op = BatchNorm { eps: eps(g) };
    let range = g.options.range;
    let bound = (x.bound + 0.5 * range) / (0.5 * range).sqrt() * 1.5 * range + 0.5 * range;
    g.node(op, &[x.value, gamma, beta, mean, variance], bound)?;
    Ok(true)
}

/// A value to normalize and a number of groups of its channels.
fn grouped(g: &mut Generator) -> Option<(Operand, TensorType, GroupNorm)> {
    let x = g.pick(|t| t.dtype.is_float() && t.rank() >= 3)?;
    let ty = g.ty(x);
    let divisors: Vec<usize> = (1..=ty.shape[1])
        .filter(|&n| ty.shape[1].is_multiple_of(n))
        .collect();
    let groups = *g.rng.choose(&divisors)?;
    let eps = eps(g);
    Some((x, ty, GroupNorm { groups, eps }))
}

fn group_norm(g: &mut Generator) -> Result<bool, GraphError> {
    if !g.allows(&["group_norm"]) {
        return Ok(false);
    }
    let Some((x, ty, op)) = grouped(g) else {
        return Ok(false);
    };
    let mut operands = vec![x.value];
    if g.rng.chance(0.7) {
        operands.extend(affine(g, ty.dtype, ty.shape[1])?);
    }
    let bound = normalized(g, ty.numel() / ty.shape[0] / op.groups);
    g.node(op, &operands, bound)?;
    Ok(true)
}

fn layer_norm(g: &mut Generator) -> Result<bool, GraphError> {
    let takes = |t: &TensorType| t.dtype.is_float() && t.is_row_major();
    let Some(x) = g.pick(takes).filter(|_| g.allows(&["layer_norm"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let width = ty.shape[ty.rank() - 1];
    let [gamma, beta] = affine(g, ty.dtype, width)?;
    let operands = [x.value, gamma, beta];
    let count = g.rng.between(2, 3);
    let (op, bound) = (LayerNorm { eps: eps(g) }, normalized(g, width));
    g.node(op, &operands[..count], bound)?;
    Ok(true)
}

fn softmax(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g
        .pick(|t| t.dtype.is_float())
        .filter(|_| g.allows(&["softmax"]))
    else {
        return Ok(false);
    };
    let dim = g.rng.between(0, g.ty(x).rank() - 1);
    g.node(Softmax { dim }, &[x.value], 1.0)?;
    Ok(true)
}

fn reduce(g: &mut Generator) -> Result<bool, GraphError> {
    use ReduceFn::*;
    let Some(x) = g.pick(|_| true) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let functions: &[ReduceFn] = match ty.dtype {
        DType::Bool => &[All, Any],
        d if d.is_float() => &[Max, Mean, Min, Prod, Sum],
        _ => &[Max, Min, Prod, Sum],
    };
    let Some(&f) = g.rng.choose(functions) else {
        return Ok(false);
    };
    let dims: Vec<usize> = (0..ty.rank()).filter(|_| g.rng.chance(0.5)).collect();
    let count: usize = dims.iter().map(|&d| ty.shape[d]).product();
    let bound = match f {
        Sum => x.bound * count as f64,
        Prod => x.bound.max(1.0).powf(count as f64),
        _ => x.bound,
    };
    let op = Reduce { f, dims };
    let name = crate::Operation::name(&op);
    // A product of many is too large or too small for anything.
    if !g.allows(&[&name]) || (f == Prod && (bound > 1e4 || count > 16)) {
        return Ok(false);
    }
    g.node(op, &[x.value], bound)?;
    Ok(true)
}

fn arg_reduce(g: &mut Generator) -> Result<bool, GraphError> {
    let floats = !g.options.continuous;
    let takes = |t: &TensorType| t.dtype.is_int() || (floats && t.dtype.is_float());
    let Some(x) = g.pick(takes) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let dtype = *g
        .rng
        .choose(&[DType::I64, DType::I32])
        .unwrap_or(&DType::I64);
    let op = ArgReduce {
        max: g.rng.chance(0.5),
        dim: g.rng.between(0, ty.rank() - 1),
        dtype,
    };
    let name = crate::Operation::name(&op);
    if !g.allows(&[&name]) {
        return Ok(false);
    }
    let bound = ty.shape[op.dim] as f64;
    g.node(op, &[x.value], bound)?;
    Ok(true)
}

/// A region of a kind that has a name and an expansion.
fn known_region(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(kind) = regions::find("group_norm_silu").filter(|_| g.allows(&["region"])) else {
        return Ok(false);
    };
    let Some((x, ty, norm)) = grouped(g) else {
        return Ok(false);
    };
    let [gamma, beta] = affine(g, ty.dtype, ty.shape[1])?;
    let operands = [x.value, gamma, beta];
    let attributes = crate::Operation::attrs(&norm);
    let types: Vec<&TensorType> = operands.iter().map(|&v| g.builder.ty(v)).collect();
    let body = (kind.expand)(&attributes, &types).map_err(|e| g.error(&e))?;
    let bound = normalized(g, ty.numel() / ty.shape[0] / norm.groups);
    g.node(
        Region::new(kind.name, attributes, Arc::new(body)),
        &operands,
        bound,
    )?;
    Ok(true)
}

/// A region of a kind that only its body defines, with two outputs: (tanh(a·b), a + b).
fn free_region(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(a) = g
        .pick(|t| t.dtype.is_float())
        .filter(|_| g.allows(&["region"]))
    else {
        return Ok(false);
    };
    let ty = g.ty(a);
    let Some(b) = g.pick(|t| t.same_memory(&ty)) else {
        return Ok(false);
    };
    let mut body = Graph::builder("tanh_product");
    let (x, y) = (body.input("a", ty.clone()), body.input("b", ty));
    let product = body.op(Binary::Mul, &[x, y])?;
    let first = body.op(Unary::Tanh, &[product])?;
    let second = body.op(Binary::Add, &[x, y])?;
    body.output("tanh", first);
    body.output("sum", second);
    let region = Region::new("tanh_product", Attrs::new(), Arc::new(body.finish()?));
    g.node(region, &[a.value, b.value], 1.0)?;
    Ok(true)
}

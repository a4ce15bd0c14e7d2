//! Rearrangements, among them to channels last and back.

use super::generator::{Generator, Recipe};
use crate::{
    DType, GraphError, Order, Scalar, TensorType,
    ops::{Concat, Expand, Flip, Pad, PadMode, Permute, Reorder, Reshape, Slice},
};

pub(super) const RECIPES: &[Recipe] = &[
    merge,
    split,
    permute,
    expand,
    slice,
    concat,
    pad,
    flip,
    channels_last,
    row_major,
];

/// Two neighbouring dimensions made one.
fn merge(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|t| t.rank() > 2).filter(|_| g.allows(&["reshape"])) else {
        return Ok(false);
    };
    let mut shape = g.ty(x).shape;
    let d = g.rng.between(0, shape.len() - 2);
    shape[d] *= shape.remove(d + 1);
    g.node(Reshape::to(shape), &[x.value], x.bound)?;
    Ok(true)
}

/// A dimension made two.
fn split(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|t| t.rank() < 5).filter(|_| g.allows(&["reshape"])) else {
        return Ok(false);
    };
    let mut shape = g.ty(x).shape;
    let d = g.rng.between(0, shape.len() - 1);
    let factors: Vec<usize> = (1..=shape[d])
        .filter(|&f| shape[d].is_multiple_of(f))
        .collect();
    let Some(&factor) = g.rng.choose(&factors) else {
        return Ok(false);
    };
    shape[d] /= factor;
    shape.insert(d, factor);
    g.node(Reshape::to(shape), &[x.value], x.bound)?;
    Ok(true)
}

fn permute(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|_| true).filter(|_| g.allows(&["permute"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let mut axes: Vec<usize> = (0..ty.rank()).collect();
    for d in (1..axes.len()).rev() {
        axes.swap(d, g.rng.between(0, d));
    }
    let mut permute = Permute::of(axes);
    if g.rng.chance(0.2) {
        permute.order = Some(permute.view_order(&ty.order));
    }
    g.node(permute, &[x.value], x.bound)?;
    Ok(true)
}

fn expand(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g
        .pick(|t| t.shape.contains(&1))
        .filter(|_| g.allows(&["expand"]))
    else {
        return Ok(false);
    };
    let mut shape = g.ty(x).shape;
    for length in shape.iter_mut().filter(|l| **l == 1) {
        *length = g.rng.between(1, 3);
    }
    g.node(Expand { shape }, &[x.value], x.bound)?;
    Ok(true)
}

fn slice(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|_| true).filter(|_| g.allows(&["slice"])) else {
        return Ok(false);
    };
    let shape = g.ty(x).shape;
    let mut slice = Slice {
        start: vec![],
        end: vec![],
        step: vec![],
    };
    for length in shape {
        let start = g.rng.between(0, (length - 1) / 2);
        slice.start.push(start);
        slice.end.push(g.rng.between(start + 1, length));
        slice.step.push(g.rng.between(1, 2));
    }
    g.node(slice, &[x.value], x.bound)?;
    Ok(true)
}

fn concat(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(a) = g.pick(|_| true).filter(|_| g.allows(&["concat"])) else {
        return Ok(false);
    };
    let ty = g.ty(a);
    let dim = g.rng.between(0, ty.rank() - 1);
    let joins = |t: &TensorType| {
        t.dtype == ty.dtype
            && t.order == ty.order
            && (0..ty.rank()).all(|d| d == dim || t.shape[d] == ty.shape[d])
    };
    let parts: Vec<_> = (0..g.rng.between(1, 3))
        .filter_map(|_| g.pick(joins))
        .collect();
    let bound = parts.iter().fold(0.0f64, |b, p| b.max(p.bound));
    let values: Vec<_> = parts.iter().map(|p| p.value).collect();
    g.node(Concat { dim }, &values, bound)?;
    Ok(true)
}

fn pad(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|_| true).filter(|_| g.allows(&["pad"])) else {
        return Ok(false);
    };
    let ty = g.ty(x);
    let modes = [PadMode::Constant, PadMode::Reflect, PadMode::Edge];
    let Some(&mode) = g.rng.choose(&modes) else {
        return Ok(false);
    };
    let (mut before, mut after) = (vec![0; ty.rank()], vec![0; ty.rank()]);
    for (d, &length) in ty.shape.iter().enumerate() {
        let most = if mode == PadMode::Reflect {
            (length - 1).min(2)
        } else {
            2
        };
        before[d] = g.rng.between(0, most);
        after[d] = g.rng.between(0, most);
    }
    let value = match ty.dtype {
        DType::Bool => Scalar::Bool(true),
        d if d.is_float() => Scalar::Float(0.25),
        _ => Scalar::Int(-1),
    };
    let value = (mode == PadMode::Constant).then_some(value);
    g.node(
        Pad {
            before,
            after,
            mode,
            value,
        },
        &[x.value],
        x.bound.max(1.0),
    )?;
    Ok(true)
}

fn flip(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|_| true).filter(|_| g.allows(&["flip"])) else {
        return Ok(false);
    };
    let dims = (0..g.ty(x).rank()).filter(|_| g.rng.chance(0.5)).collect();
    g.node(Flip { dims }, &[x.value], x.bound)?;
    Ok(true)
}

fn channels_last(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|t| t.rank() > 2 && t.order.is_row_major()) else {
        return Ok(false);
    };
    reorder(g, x.value, x.bound, Order::channels_last)
}

fn row_major(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g.pick(|t| !t.order.is_row_major()) else {
        return Ok(false);
    };
    reorder(g, x.value, x.bound, Order::row_major)
}

fn reorder(
    g: &mut Generator,
    x: crate::ValueId,
    bound: f64,
    to: fn(usize) -> Order,
) -> Result<bool, GraphError> {
    if !g.allows(&["reorder"]) {
        return Ok(false);
    }
    let order = to(g.builder.ty(x).rank());
    g.node(Reorder { order }, &[x], bound)?;
    Ok(true)
}

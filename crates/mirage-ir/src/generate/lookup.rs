//! Look-ups by integer indices.

use super::generator::{Generator, Recipe};
use crate::{
    GraphError, TensorType,
    ops::{Embedding, Gather, IndexSelect},
};

pub(super) const RECIPES: &[Recipe] = &[embedding, gather, index_select];

fn embedding(g: &mut Generator) -> Result<bool, GraphError> {
    let takes = |t: &TensorType| t.rank() == 2 && t.is_row_major();
    let Some(table) = g.pick(takes).filter(|_| g.allows(&["embedding"])) else {
        return Ok(false);
    };
    let entries = g.ty(table).shape[0] as i64;
    let shape = [g.rng.between(1, 3), g.rng.between(1, 5)];
    let indices = g.ints(&shape, 0, entries - 1)?;
    g.node(Embedding {}, &[table.value, indices], table.bound)?;
    Ok(true)
}

fn gather(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g
        .pick(TensorType::is_row_major)
        .filter(|_| g.allows(&["gather"]))
    else {
        return Ok(false);
    };
    let mut shape = g.ty(x).shape;
    let dim = g.rng.between(0, shape.len() - 1);
    let last = shape[dim] as i64 - 1;
    shape[dim] = g.rng.between(1, 5);
    let indices = g.ints(&shape, 0, last)?;
    g.node(Gather { dim }, &[x.value, indices], x.bound)?;
    Ok(true)
}

fn index_select(g: &mut Generator) -> Result<bool, GraphError> {
    let Some(x) = g
        .pick(TensorType::is_row_major)
        .filter(|_| g.allows(&["index_select"]))
    else {
        return Ok(false);
    };
    let shape = g.ty(x).shape;
    let dim = g.rng.between(0, shape.len() - 1);
    let count = g.rng.between(1, 5);
    let indices = g.ints(&[count], 0, shape[dim] as i64 - 1)?;
    g.node(IndexSelect { dim }, &[x.value, indices], x.bound)?;
    Ok(true)
}

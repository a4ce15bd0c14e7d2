//! Look-ups by integer indices, on row-major tensors.

use burn_backend::{Backend, Slice};
use mirage_ir::ops::{Embedding, Gather, IndexSelect};

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor, TypedArgs};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(op) = cx.node.op.get::<Gather>() {
        return Some(Ok(gather(op.dim, cx)));
    }
    if let Some(op) = cx.node.op.get::<IndexSelect>() {
        return Some(Ok(index_select(op.dim, cx)));
    }
    cx.node.op.get::<Embedding>().map(|_| Ok(embedding(cx)))
}

fn gather<B: Backend>(dim: usize, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (x, indices, out) = (cx.logical(0), cx.logical(1), cx.physical());
    let storage = cx.storage;
    // Engines require that x is not longer than the indices in the other dimensions.
    let (from, to) = (&cx.inputs[0].shape, &cx.inputs[1].shape);
    let fits = (0..from.len()).all(|d| d == dim || from[d] == to[d]);
    let part: Vec<Slice> = (0..from.len())
        .map(|d| Slice::from(0..if d == dim { from[d] } else { to[d] }))
        .collect();
    kernel(move |args| {
        let x = x.view(args.take(0));
        let x = if fits { x } else { x.slice(&part) };
        let indices = indices.view(args.take(1)).into_int();
        out.view(x.gather(dim, indices, &storage))
    })
}

fn index_select<B: Backend>(dim: usize, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (x, out, storage) = (cx.logical(0), cx.physical(), cx.storage);
    kernel(move |args| {
        let x = x.view(args.take(0));
        out.view(x.select(dim, args.int(1), &storage))
    })
}

fn embedding<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (table, indices, out) = (cx.logical(0), cx.logical(1), cx.physical());
    let storage = cx.storage;
    let is_float = cx.inputs[0].dtype.is_float();
    let shape = cx.outputs[0].shape.clone();
    let count = cx.inputs[1].numel();
    kernel(move |args| {
        let table = table.view(args.take(0));
        let indices = indices.view(args.take(1)).into_int();
        out.view(if is_float {
            Tensor::Float(B::embedding(table.into_float(), indices))
        } else {
            let flat = Tensor::<B>::Int(indices).reshape(&[count]).into_int();
            table.select(0, flat, &storage).reshape(&shape)
        })
    })
}

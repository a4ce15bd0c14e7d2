//! Views and rearrangements on physical tensors.

use burn_backend::{Backend, Slice, ops::PadMode as BurnPadMode};
use mirage_ir::ops::{Concat, Expand, Flip, Pad, PadMode, Permute, Reshape, Slice as SliceOp};
use mirage_runtime::in_memory;

use super::{Lowered, NodeContext, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    let op = &cx.node.op;
    if op.is::<Reshape>() {
        Some(Ok(reshape(cx)))
    } else if let Some(op) = op.get::<Permute>() {
        Some(Ok(permute(op, cx)))
    } else if op.is::<Expand>() {
        Some(Ok(expand(cx)))
    } else if let Some(op) = op.get::<SliceOp>() {
        Some(Ok(slice(op, cx)))
    } else if let Some(op) = op.get::<Concat>() {
        Some(Ok(concat(op, cx)))
    } else if let Some(op) = op.get::<Pad>() {
        Some(Ok(pad(op, cx)))
    } else {
        op.get::<Flip>().map(|op| Ok(flip(op, cx)))
    }
}

fn reshape<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    if cx
        .node
        .op
        .is_view(&cx.inputs.iter().collect::<Vec<_>>(), &cx.outputs)
    {
        let shape = cx.outputs[0].physical_shape();
        return kernel(move |args| args.take(0).reshape(&shape));
    }
    let (x, out, shape) = (cx.logical(0), cx.physical(), cx.outputs[0].shape.clone());
    kernel(move |args| out.lay_out(x.view(args.take(0)).reshape(&shape)))
}

fn permute<B: Backend>(op: &Permute, cx: &NodeContext<'_, B>) -> Kernel<B> {
    if cx
        .node
        .op
        .is_view(&cx.inputs.iter().collect::<Vec<_>>(), &cx.outputs)
    {
        let shape = cx.outputs[0].physical_shape();
        return kernel(move |args| args.take(0).reshape(&shape));
    }
    // The input's physical dimension for the result's physical dimension p.
    let axes: Vec<usize> = cx.outputs[0]
        .order
        .dims()
        .map(|d| cx.place(op.axes[d]))
        .collect();
    // A user that does not accept any strides would copy the elements each time.
    let lazy = cx.feeds_views && !cx.leaves;
    kernel(move |args| {
        let view = args.take(0).permute(&axes);
        if lazy { view } else { view.contiguous() }
    })
}

fn expand<B: Backend>(cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (shape, own) = (cx.outputs[0].physical_shape(), cx.leaves);
    kernel(move |args| {
        let view = args.take(0).expand(&shape);
        if own { view.contiguous() } else { view }
    })
}

fn slice<B: Backend>(op: &SliceOp, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let by_dim: Vec<Slice> = (0..op.start.len())
        .map(|d| Slice::from_range_stepped(op.start[d]..op.end[d], op.step[d] as isize))
        .collect();
    let (slices, own) = (cx.in_memory(&by_dim), cx.leaves);
    kernel(move |args| {
        let part = args.take(0).slice(&slices);
        if own { part.contiguous() } else { part }
    })
}

fn concat<B: Backend>(op: &Concat, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let dim = cx.place(op.dim);
    kernel(move |args| {
        let parts = (0..args.count()).map(|i| args.take(i)).collect();
        Tensor::cat(parts, dim)
    })
}

fn flip<B: Backend>(op: &Flip, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let axes: Vec<usize> = op.dims.iter().map(|&d| cx.place(d)).collect();
    kernel(move |args| args.take(0).flip(&axes).contiguous())
}

fn pad<B: Backend>(op: &Pad, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (x, y) = (&cx.inputs[0], &cx.outputs[0]);
    let around: Vec<(usize, usize)> = op
        .before
        .iter()
        .copied()
        .zip(op.after.iter().copied())
        .collect();
    let around = in_memory(x, &around);
    let (storage, device, dtype) = (cx.storage, cx.engine.device().clone(), x.dtype);
    if let Some(value) = op.value {
        // Burn's own function has an f32 value.
        let shape = y.physical_shape();
        let inner: Vec<Slice> = x
            .physical_shape()
            .iter()
            .zip(&around)
            .map(|(&len, &(before, _))| Slice::from(before..before + len))
            .collect();
        return kernel(move |args| {
            let filled = Tensor::full(&shape, value, dtype, &storage, &device);
            filled.slice_assign(&inner, args.take(0))
        });
    }
    let mode = match op.mode {
        PadMode::Edge => BurnPadMode::Edge,
        _ => BurnPadMode::Reflect,
    };
    kernel(move |args| match args.take(0) {
        Tensor::Float(x) => Tensor::Float(B::float_pad(x, &around, mode)),
        Tensor::Int(x) => Tensor::Int(B::int_pad(x, &around, mode)),
        Tensor::Bool(x) => {
            let numbers = B::bool_into_int(x, storage.int(mirage_ir::DType::I64));
            let padded = B::int_pad(numbers, &around, mode);
            let zero = burn_backend::Scalar::Int(0);
            Tensor::Bool(B::int_not_equal_elem(padded, zero, storage.bool()))
        }
    })
}

//! Reductions on physical tensors. Half precision is summed in f32.

use burn_backend::{Backend, tensor::FloatTensor};
use mirage_ir::{
    DType,
    ops::{ArgReduce, Reduce, ReduceFn},
};

use super::{Lowered, NodeContext, accumulator, cast_float, kernel};
use crate::{Kernel, Tensor};

pub(super) fn lower<B: Backend>(cx: &NodeContext<'_, B>) -> Lowered<B> {
    if let Some(op) = cx.node.op.get::<Reduce>() {
        return Some(Ok(reduce(op, cx)));
    }
    cx.node
        .op
        .get::<ArgReduce>()
        .map(|op| Ok(arg_reduce(op, cx)))
}

fn reduce<B: Backend>(op: &Reduce, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let shape = cx.inputs[0].physical_shape();
    let mut reduced = vec![false; shape.len()];
    op.dims.iter().for_each(|&d| reduced[cx.place(d)] = true);
    let (merged, axes) = merge(&shape, &reduced);
    let out = cx.outputs[0].physical_shape();
    let (f, dtype, storage) = (op.f, cx.inputs[0].dtype, cx.storage);
    let sums = matches!(f, ReduceFn::Sum | ReduceFn::Mean | ReduceFn::Prod);
    let wide = if sums { accumulator(dtype) } else { dtype };
    kernel(move |args| {
        let x = args.take(0).reshape(&merged);
        let y = match x {
            Tensor::Float(x) => {
                let x = cast_float::<B>(x, dtype, wide, &storage);
                let y = axes.iter().fold(x, |x, &axis| float::<B>(f, x, axis));
                Tensor::Float(cast_float::<B>(y, wide, dtype, &storage))
            }
            Tensor::Int(x) => Tensor::Int(axes.iter().fold(x, |x, &axis| match f {
                ReduceFn::Max => B::int_max_dim(x, axis),
                ReduceFn::Min => B::int_min_dim(x, axis),
                ReduceFn::Prod => B::int_prod_dim(x, axis),
                ReduceFn::Sum => B::int_sum_dim(x, axis),
                other => unreachable!("{other:?} takes no integers"),
            })),
            Tensor::Bool(x) => Tensor::Bool(axes.iter().fold(x, |x, &axis| match f {
                ReduceFn::All => B::bool_all_dim(x, axis),
                ReduceFn::Any => B::bool_any_dim(x, axis),
                other => unreachable!("{other:?} takes no bools"),
            })),
        };
        y.reshape(&out)
    })
}

fn float<B: Backend>(f: ReduceFn, x: FloatTensor<B>, axis: usize) -> FloatTensor<B> {
    match f {
        ReduceFn::Max => B::float_max_dim(x, axis),
        ReduceFn::Min => B::float_min_dim(x, axis),
        ReduceFn::Mean => B::float_mean_dim(x, axis),
        ReduceFn::Prod => B::float_prod_dim(x, axis),
        ReduceFn::Sum => B::float_sum_dim(x, axis),
        ReduceFn::All | ReduceFn::Any => unreachable!("{f:?} takes bools"),
    }
}

/// Returns the shape with adjacent dimensions of one kind (reduced or kept) merged, so that they are
/// reduced at once, and the reduced dimensions of it, innermost first.
fn merge(shape: &[usize], reduced: &[bool]) -> (Vec<usize>, Vec<usize>) {
    let mut merged: Vec<(usize, bool)> = Vec::new();
    for (&length, &reduced) in shape.iter().zip(reduced) {
        match merged.last_mut() {
            Some(last) if last.1 == reduced => last.0 *= length,
            _ => merged.push((length, reduced)),
        }
    }
    let axes = (0..merged.len()).rev().filter(|&i| merged[i].1).collect();
    (merged.into_iter().map(|m| m.0).collect(), axes)
}

fn arg_reduce<B: Backend>(op: &ArgReduce, cx: &NodeContext<'_, B>) -> Kernel<B> {
    let (max, dim, storage) = (op.max, cx.place(op.dim), cx.storage);
    let (from, dtype): (DType, DType) = (cx.inputs[0].dtype, op.dtype);
    // The indices have the dtype of an integer tensor, which may be too narrow for them.
    let wide = storage.int(DType::I64);
    kernel(move |args| match args.take(0) {
        Tensor::Float(x) => {
            let out = storage.int(dtype);
            Tensor::Int(if max {
                B::float_argmax(x, dim, out)
            } else {
                B::float_argmin(x, dim, out)
            })
        }
        x => {
            let x = x.into_int();
            let x = if from == DType::I64 {
                x
            } else {
                B::int_cast(x, wide)
            };
            let indices = if max {
                B::int_argmax(x, dim)
            } else {
                B::int_argmin(x, dim)
            };
            Tensor::Int(B::int_cast(indices, storage.int(dtype)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn neighbouring_dimensions_are_reduced_in_one_go() {
        let merged = merge(&[2, 3, 4, 5], &[false, false, true, true]);
        assert_eq!(merged, (vec![6, 20], vec![1]));
        let apart = merge(&[2, 3, 4], &[true, false, true]);
        assert_eq!(apart, (vec![2, 3, 4], vec![2, 0]));
        assert_eq!(merge(&[2, 3], &[false, false]), (vec![6], vec![]));
        assert_eq!(merge(&[], &[]), (vec![], vec![]));
    }
}

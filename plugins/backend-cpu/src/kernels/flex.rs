//! Kernels on the engine's tensors, for the generic executor.

use std::sync::Arc;

use burn_backend::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use mirage_burn::{Kernel, Tensor};
use mirage_runtime::{
    NodeContext,
    planned::{HostKernel, Operand, Space, View},
};

use super::{
    half::{narrow, widen},
    memory::Pool,
};

/// The kernel as an instruction: results stand in an operand that dies here and may be written
/// over, or else in a buffer of the pool, to which other operands that die give theirs. Halves are
/// widened before it and narrowed after.
pub(crate) fn kernel(host: HostKernel, cx: &NodeContext<'_>, pool: &Arc<Pool>) -> Kernel<Flex> {
    let pool = pool.clone();
    let shapes: Vec<Vec<usize>> = cx.outputs.iter().map(|t| t.physical_shape()).collect();
    let dtypes: Vec<mirage_ir::DType> = cx.outputs.iter().map(|t| t.dtype).collect();
    Box::new(move |args| {
        let mut operands: Vec<Option<FlexTensor>> = (0..args.count())
            .map(|i| match args.take(i) {
                Tensor::Float(t) if host.takes_views() => Some(widen(t, &pool)),
                // Integers come as bytes alone.
                Tensor::Float(t) | Tensor::Int(t) => Some(in_sequence(widen(t, &pool))),
                Tensor::Bool(t) => Some(in_sequence(t)),
            })
            .collect();
        let is_own = |&&i: &&usize| {
            operands[i]
                .as_mut()
                .is_some_and(|t| own_elements(t).is_some())
        };
        let target = host.in_place_operands().iter().find(is_own).copied();
        let mut own = target.and_then(|i| operands[i].take());
        let mut fresh: Vec<Vec<f32>> = shapes[usize::from(own.is_some())..]
            .iter()
            .map(|shape| pool.take(shape.iter().product()))
            .collect();
        let mut workspace = pool.take(host.workspace());
        let views: Vec<Operand<'_>> = operands.iter().map(|t| operand(t, &host)).collect();
        let mut results: Vec<&mut [f32]> = own.iter_mut().filter_map(own_elements).collect();
        results.extend(fresh.iter_mut().map(Vec::as_mut_slice));
        host.run(
            &views,
            Space {
                results: &mut results,
                workspace: &mut workspace,
            },
        );
        pool.put(workspace);
        operands.into_iter().flatten().for_each(|t| pool.give(t));
        let whole = own.into_iter().zip(&shapes).map(|(t, s)| reshaped(t, s));
        let results: Vec<Tensor<Flex>> = whole.collect();
        let rest = shapes[results.len()..].iter().zip(fresh);
        let all = results.into_iter().chain(rest.map(|(s, f)| tensor(f, s)));
        for (i, (result, &dtype)) in all.zip(&dtypes).enumerate() {
            let result = narrow(result.into_float(), dtype, &pool);
            let result = match dtype {
                mirage_ir::DType::U8 => Tensor::Int(result),
                _ => Tensor::Float(result),
            };
            args.set(i, result);
        }
        Ok(())
    })
}

fn operand<'a>(tensor: &'a Option<FlexTensor>, host: &HostKernel) -> Operand<'a> {
    let Some(tensor) = tensor else {
        return Operand::InResult;
    };
    let layout = tensor.layout();
    if tensor.dtype() != DType::F32 {
        return Operand::Bool(&tensor.bytes()[layout.start_offset()..][..layout.num_elements()]);
    }
    if !host.takes_views() {
        return Operand::Float(elements(tensor));
    }
    let strides = layout.strides();
    Operand::View(View {
        elements: tensor.storage::<f32>(),
        start: layout.start_offset(),
        // None of them is reversed.
        strides: std::array::from_fn(|i| strides.get(i).map_or(0, |s| s.unsigned_abs())),
    })
}

/// The tensor with its elements in sequence, as its shape says; itself where they lie so already.
pub(crate) fn in_sequence(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// The elements of an f32 tensor that lies in sequence.
pub(crate) fn elements(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .unwrap_or_else(|| unreachable!("an f32 tensor in sequence is a slice"))
}

/// The bytes of a tensor that lies in sequence.
pub(crate) fn bytes(tensor: &FlexTensor) -> &[u8] {
    let (layout, size) = (tensor.layout(), tensor.dtype().size());
    &tensor.bytes()[layout.start_offset() * size..][..layout.num_elements() * size]
}

/// The elements of an f32 tensor to write over, if nobody else holds them and they are all there is.
fn own_elements(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let len = tensor.layout().num_elements();
    let whole = tensor.is_contiguous() && tensor.layout().start_offset() == 0;
    let elements = tensor.try_storage_mut::<f32>()?;
    (whole && elements.len() == len).then_some(elements)
}

/// The same elements in sequence, under another physical shape.
fn reshaped(tensor: FlexTensor, shape: &[usize]) -> Tensor<Flex> {
    Tensor::Float(tensor.with_layout(Layout::contiguous(Shape::from(shape))))
}

/// A tensor of these elements, of the physical shape.
pub(crate) fn tensor(elements: Vec<f32>, shape: &[usize]) -> Tensor<Flex> {
    let layout = Layout::contiguous(Shape::from(shape));
    Tensor::Float(FlexTensor::new(
        Bytes::from_elems(elements),
        layout,
        DType::F32,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_holds_is_written_over() {
        let mut one = tensor(vec![1.0, 2.0], &[2]).into_float();
        let other = one.clone();
        assert!(own_elements(&mut one).is_none());
        drop(other);
        assert_eq!(own_elements(&mut one), Some(&mut [1.0, 2.0][..]));
    }
}

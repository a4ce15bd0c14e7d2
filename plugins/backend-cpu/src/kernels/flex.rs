//! Runs kernels on burn-flex's tensors, for the slots mode.

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

/// Wraps a kernel as an instruction. A result is written to an operand that dies here and may be
/// overwritten, or to a buffer of the pool; other operands that die return their buffers to the pool. f16
/// and bf16 are widened before and rounded afterwards.
pub(crate) fn kernel(host: HostKernel, cx: &NodeContext<'_>, pool: &Arc<Pool>) -> Kernel<Flex> {
    let pool = pool.clone();
    let shapes: Vec<Vec<usize>> = cx.outputs.iter().map(|t| t.physical_shape()).collect();
    let dtypes: Vec<mirage_ir::DType> = cx.outputs.iter().map(|t| t.dtype).collect();
    Box::new(move |args| {
        let mut operands: Vec<Option<FlexTensor>> = (0..args.count())
            .map(|i| match args.take(i) {
                Tensor::Float(t) if host.takes_views() => Some(widen(t, &pool)),
                // The only integers are bytes.
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
        // None of the dimensions is reversed.
        strides: std::array::from_fn(|i| strides.get(i).map_or(0, |s| s.unsigned_abs())),
    })
}

/// Returns a contiguous tensor; the tensor itself if it is contiguous.
pub(crate) fn in_sequence(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

/// Returns the elements of a contiguous f32 tensor.
pub(crate) fn elements(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice::<f32>()
        .unwrap_or_else(|| unreachable!("an f32 tensor in sequence is a slice"))
}

/// Returns the bytes of a contiguous tensor.
pub(crate) fn bytes(tensor: &FlexTensor) -> &[u8] {
    let (layout, size) = (tensor.layout(), tensor.dtype().size());
    &tensor.bytes()[layout.start_offset() * size..][..layout.num_elements() * size]
}

/// Returns the mutable elements of an f32 tensor, if it is their only owner and uses all of them.
fn own_elements(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let len = tensor.layout().num_elements();
    let whole = tensor.is_contiguous() && tensor.layout().start_offset() == 0;
    let elements = tensor.try_storage_mut::<f32>()?;
    (whole && elements.len() == len).then_some(elements)
}

/// Returns the elements in the same sequence with another physical shape.
fn reshaped(tensor: FlexTensor, shape: &[usize]) -> Tensor<Flex> {
    Tensor::Float(tensor.with_layout(Layout::contiguous(Shape::from(shape))))
}

/// Returns a tensor of these elements with the physical shape.
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

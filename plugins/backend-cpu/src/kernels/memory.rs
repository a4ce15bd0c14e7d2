//! Between the engine's tensors and slices, and buffers that are used again.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use burn_backend::{Bytes, DType, Shape};
use burn_flex::{Flex, FlexTensor, Layout};
use mirage_backend::burn::Tensor;

/// Buffers of results that died, by length. A fresh megabyte costs a fault a page; one that was
/// just read is in the cache.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<usize, Bucket>>);

#[derive(Default)]
struct Bucket {
    free: Vec<Vec<f32>>,
    /// Buffers taken and not given back. What is given beyond that came from elsewhere and is let
    /// go, so that the pool never holds more than was in use at once.
    out: usize,
}

impl Pool {
    /// A buffer of this length. Its elements are arbitrary.
    pub(crate) fn take(&self, len: usize) -> Vec<f32> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(len).or_default();
        bucket.out += 1;
        let free = bucket.free.pop();
        drop(buckets);
        free.unwrap_or_else(|| vec![0.0; len])
    }

    /// Takes back the memory of a tensor that nobody else holds.
    pub(crate) fn give(&self, tensor: FlexTensor) {
        if !tensor.is_unique() || tensor.dtype() != DType::F32 {
            return;
        }
        let len = tensor.bytes().len() / size_of::<f32>();
        let layout = Layout::contiguous(Shape::from([len]));
        let bytes = tensor.with_layout(layout).into_data().into_bytes();
        let Ok(buffer) = bytes.try_into_vec::<f32>() else {
            return;
        };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&len).filter(|b| b.out > 0) {
            bucket.out -= 1;
            bucket.free.push(buffer);
        }
    }
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

/// The elements of an f32 tensor to write over, if nobody else holds them and they are all there is.
pub(crate) fn own_elements(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let len = tensor.layout().num_elements();
    let whole = tensor.is_contiguous() && tensor.layout().start_offset() == 0;
    let elements = tensor.try_storage_mut::<f32>()?;
    (whole && elements.len() == len).then_some(elements)
}

/// The same elements in sequence, under another physical shape.
pub(crate) fn reshaped(tensor: FlexTensor, shape: &[usize]) -> Tensor<Flex> {
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

thread_local! {
    static SCRATCH: [Cell<Vec<f32>>; 3] = const { [const { Cell::new(Vec::new()) }; 3] };
}

/// Memory of this thread for intermediate elements, kept from call to call. Three pieces of it can
/// be in use at once, under different numbers.
pub(crate) struct Scratch {
    number: usize,
    len: usize,
    buffer: Vec<f32>,
}

impl Scratch {
    /// Piece `number` (0 to 2), `len` long. Its elements are arbitrary.
    pub(crate) fn new(number: usize, len: usize) -> Self {
        let mut buffer = SCRATCH.with(|s| s[number].take());
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        Scratch {
            number,
            len,
            buffer,
        }
    }

    /// The elements.
    pub(crate) fn elements(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        SCRATCH.with(|s| s[self.number].set(buffer));
    }
}

/// The number of threads that work is divided for.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Below so many elements written, dividing the work costs more than it brings.
pub(crate) const WORTH_DIVIDING: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn flex(tensor: Tensor<Flex>) -> FlexTensor {
        tensor.into_float()
    }

    #[test]
    fn a_buffer_comes_back_and_no_more_than_were_taken() {
        let pool = Pool::default();
        let first = pool.take(5);
        let place = first.as_ptr();
        let shared = flex(tensor(first, &[5]));
        pool.give(shared.clone());
        assert!(pool.0.lock().expect("no panic")[&5].free.is_empty());
        pool.give(shared);
        pool.give(flex(tensor(vec![1.0; 5], &[5])));
        let again = pool.take(5);
        assert_eq!(again.as_ptr(), place);
        assert!(pool.0.lock().expect("no panic")[&5].free.is_empty());
    }

    #[test]
    fn only_what_nobody_else_holds_is_written_over() {
        let mut one = flex(tensor(vec![1.0, 2.0], &[2]));
        let other = one.clone();
        assert!(own_elements(&mut one).is_none());
        drop(other);
        assert_eq!(own_elements(&mut one), Some(&mut [1.0, 2.0][..]));
    }
}

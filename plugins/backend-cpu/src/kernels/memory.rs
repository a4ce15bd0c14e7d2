//! Reused memory: buffers of results, and scratch memory of threads.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use bumpalo::Bump;
use burn_backend::{DType, Shape};
use burn_flex::{FlexTensor, Layout};

/// Buffers of dead results, by length. New memory costs a page fault for each page; a reused buffer is
/// probably in the cache.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<usize, Bucket>>);

#[derive(Default)]
struct Bucket {
    free: Vec<Vec<f32>>,
    /// Number of buffers that are in use. Buffers that were not taken from the pool are freed when they are
    /// returned, so that the pool has never more than were in use at once.
    out: usize,
}

impl Pool {
    /// Returns a buffer of this length. Its elements are arbitrary.
    pub(crate) fn take(&self, len: usize) -> Vec<f32> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(len).or_default();
        bucket.out += 1;
        let free = bucket.free.pop();
        drop(buckets);
        free.unwrap_or_else(|| vec![0.0; len])
    }

    /// Takes back the memory of a tensor that has no other owner.
    pub(crate) fn give(&self, tensor: FlexTensor) {
        if !tensor.is_unique() || tensor.dtype() != DType::F32 {
            return;
        }
        let len = tensor.bytes().len() / size_of::<f32>();
        let layout = Layout::contiguous(Shape::from([len]));
        let bytes = tensor.with_layout(layout).into_data().into_bytes();
        if let Ok(buffer) = bytes.try_into_vec::<f32>() {
            self.put(buffer);
        }
    }

    /// Takes back a buffer.
    pub(crate) fn put(&self, buffer: Vec<f32>) {
        let len = buffer.len();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&len).filter(|b| b.out > 0) {
            bucket.out -= 1;
            bucket.free.push(buffer);
        }
    }
}

const PIECES: usize = 4;

thread_local! {
    static SCRATCH: [Cell<Vec<f32>>; PIECES] = const { [const { Cell::new(Vec::new()) }; PIECES] };
    static NUMBERS: Cell<Vec<usize>> = const { Cell::new(Vec::new()) };
    static LISTS: Cell<Bump> = Cell::new(Bump::new());
}

/// The maximum number of floats that any thread has requested, of each piece.
static MOST: [AtomicUsize; PIECES] = [const { AtomicUsize::new(0) }; PIECES];

static MOST_NUMBERS: AtomicUsize = AtomicUsize::new(0);
static MOST_LISTS: AtomicUsize = AtomicUsize::new(0);

/// Scratch memory of this thread, kept between calls. Four pieces of it can be in use at once, with different
/// numbers.
pub(crate) struct Scratch {
    number: usize,
    len: usize,
    buffer: Vec<f32>,
}

impl Scratch {
    /// Returns piece `number` (0 to 3) with `len` elements, which are arbitrary.
    pub(crate) fn new(number: usize, len: usize) -> Self {
        let mut buffer = SCRATCH.with(|s| s[number].take());
        if buffer.len() < len {
            let most = MOST[number].fetch_max(len, Ordering::Relaxed).max(len);
            buffer.resize(most, 0.0);
        }
        Scratch {
            number,
            len,
            buffer,
        }
    }

    /// Returns the elements.
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

/// A list of numbers in memory of this thread, kept between calls.
pub(crate) struct Numbers(Vec<usize>);

impl Numbers {
    /// Returns an empty list with this capacity.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut numbers = NUMBERS.take();
        numbers.clear();
        if numbers.capacity() < capacity {
            let most = MOST_NUMBERS.fetch_max(capacity, Ordering::Relaxed);
            numbers.reserve_exact(most.max(capacity));
        }
        Numbers(numbers)
    }

    /// Appends numbers.
    #[inline(always)]
    pub(crate) fn extend(&mut self, numbers: impl IntoIterator<Item = usize>) {
        self.0.extend(numbers);
    }

    /// Returns the numbers.
    pub(crate) fn all(&self) -> &[usize] {
        &self.0
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        NUMBERS.set(std::mem::take(&mut self.0));
    }
}

/// Gives every thread of the pool the largest amount of scratch memory that any of them has requested, so that
/// later runs do not allocate, whichever thread does the work.
pub(crate) fn settle() {
    rayon::broadcast(|_| {
        for (number, most) in MOST.iter().enumerate() {
            drop(Scratch::new(number, most.load(Ordering::Relaxed)));
        }
        drop(Numbers::new(MOST_NUMBERS.load(Ordering::Relaxed)));
        let (lists, most) = (LISTS.take(), MOST_LISTS.load(Ordering::Relaxed));
        let large = lists.chunk_capacity() >= most;
        LISTS.set(if large {
            lists
        } else {
            Bump::with_capacity(most)
        });
    });
}

/// Provides memory for lists that live as long as one call of a kernel, kept between calls. A kernel that is
/// called inside of another one gets separate memory.
pub(crate) fn with_lists<R>(f: impl FnOnce(&Bump) -> R) -> R {
    let mut lists = LISTS.take();
    let result = f(&lists);
    MOST_LISTS.fetch_max(lists.allocated_bytes(), Ordering::Relaxed);
    lists.reset();
    LISTS.set(lists);
    result
}

/// The number of threads that work is divided among.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Work with fewer elements is not divided among threads.
pub(crate) const WORTH_DIVIDING: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn flex(elements: Vec<f32>) -> FlexTensor {
        super::super::flex::tensor(elements, &[5]).into_float()
    }

    #[test]
    fn a_buffer_comes_back_and_no_more_than_were_taken() {
        let pool = Pool::default();
        let first = pool.take(5);
        let place = first.as_ptr();
        let shared = flex(first);
        pool.give(shared.clone());
        assert!(pool.0.lock().expect("no panic")[&5].free.is_empty());
        pool.give(shared);
        pool.give(flex(vec![1.0; 5]));
        let again = pool.take(5);
        assert_eq!(again.as_ptr(), place);
        assert!(pool.0.lock().expect("no panic")[&5].free.is_empty());
    }

    #[test]
    fn threads_have_as_much_scratch_memory_as_any_of_them() {
        drop(Scratch::new(3, 1234));
        settle();
        let lens = rayon::broadcast(|_| {
            SCRATCH.with(|s| {
                let buffer = s[3].take();
                let len = buffer.len();
                s[3].set(buffer);
                len
            })
        });
        assert!(lens.iter().all(|&len| len >= 1234), "{lens:?}");
    }
}

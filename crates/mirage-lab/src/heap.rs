//! Measures the peak heap memory of a piece of work.
//!
//! [`Heap`] wraps the system's allocator. A program that wants peaks in its ledgers installs it with
//! `#[global_allocator]`. While [`peak_of`] runs, it counts allocated and freed bytes; otherwise it only
//! reads one flag.

#![allow(
    unsafe_code,
    reason = "an allocator cannot be made without; every call goes to the system's as it is"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
};

/// The system's allocator, which counts while [`peak_of`] runs.
pub struct Heap;

static COUNTING: AtomicBool = AtomicBool::new(false);
/// Allocated minus freed bytes since counting began; negative if older memory was freed.
static LIVE: AtomicI64 = AtomicI64::new(0);
/// The maximum of [`LIVE`].
static PEAK: AtomicI64 = AtomicI64::new(0);
/// Held while counting.
static COUNTER: Mutex<()> = Mutex::new(());

/// Runs `work` and returns its result and the peak of heap bytes above those held before it, including its
/// threads; `None` if the program uses another allocator. Other work of the program at the same time is
/// counted too.
pub fn peak_of<R>(work: impl FnOnce() -> R) -> (R, Option<u64>) {
    let one_at_a_time = COUNTER.lock();
    LIVE.store(0, Relaxed);
    PEAK.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
    drop(std::hint::black_box(Box::new(0_u8)));
    let counts = PEAK.load(Relaxed) > 0;
    let result = work();
    COUNTING.store(false, Relaxed);
    let peak = u64::try_from(PEAK.load(Relaxed)).unwrap_or(0);
    drop(one_at_a_time);
    (result, counts.then_some(peak))
}

fn count(change: i64) {
    if COUNTING.load(Relaxed) {
        let live = LIVE.fetch_add(change, Relaxed) + change;
        if change > 0 {
            PEAK.fetch_max(live, Relaxed);
        }
    }
}

/// Converts a layout's size; no layout is larger than `isize::MAX`.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every method hands its arguments to the system's allocator as they are and returns what that
// returns; counting beside it neither allocates nor touches the memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout.size()));
        // SAFETY: as above; the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(size(new_size) - size(layout.size()));
        // SAFETY: as above; the pointer came from the system's allocator.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Heap, peak_of};

    #[global_allocator]
    static HEAP: Heap = Heap;

    #[test]
    fn the_peak_is_what_is_alive_at_once_above_the_start() {
        const BLOCK: usize = 1 << 22;
        let older = vec![1_u8; 8 * BLOCK];
        let sum = |block: &[u8]| block.iter().map(|&b| u64::from(b)).sum::<u64>();
        let (total, peak) = peak_of(|| {
            let first = sum(&vec![1_u8; 2 * BLOCK]);
            let kept = vec![1_u8; BLOCK];
            first + sum(&vec![1_u8; 2 * BLOCK]) + sum(&kept)
        });
        assert_eq!(total + sum(&older), 13 * BLOCK as u64);
        // Tests that run at the same time, in threads of this process, hold far less than a block.
        let blocks = peak.expect("this allocator counts") as f64 / BLOCK as f64;
        assert!((2.9..4.0).contains(&blocks), "{blocks}");
    }
}

//! An execution of a static plan allocates nothing. A program of its own, so that no other test
//! allocates beside it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use mirage_backend_cpu::CpuBackend;
use mirage_ir::{Graph, text};
use mirage_testkit::{compile, encoder, noisy, planned};

/// Counts allocations of the whole process while it is asked to.
struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

fn note(size: usize) {
    if COUNTS.load(Ordering::Relaxed) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LARGEST.fetch_max(size, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches atomics alone.
#[expect(
    unsafe_code,
    reason = "the only way to see allocations is to be the allocator"
)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// rayon's queue of work that comes from outside its threads is a list of blocks, of which one is
/// allocated every 63 entries.
const QUEUE_BLOCK: usize = 1600;

#[test]
fn executions_allocate_nothing() {
    let graph = planned(&encoder());
    for dtype in ["f32", "f16", "bf16"] {
        let of_dtype = graph.to_string().replace("f32[", &format!("{dtype}["));
        allocates_nothing(&text::parse(&of_dtype).unwrap());
    }
}

fn allocates_nothing(graph: &Graph) {
    let (params, inputs) = noisy(graph);
    let mut executable = compile(&CpuBackend, graph, &params).unwrap();
    let notes = executable.notes().join("\n");
    assert!(!notes.contains("burn-flex"), "{notes}");
    let ports = executable.inputs().iter().zip(&inputs);
    let inputs: Vec<_> = ports
        .map(|(p, x)| {
            executable
                .upload(&x.to_data(p.ty.dtype).unwrap(), &p.ty)
                .unwrap()
        })
        .collect();
    let mut outputs = executable.execute(&inputs).unwrap();
    let before = executable.download(&outputs[0]).unwrap();
    ALLOCATIONS.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        executable.execute_into(&inputs, &mut outputs).unwrap();
    }
    COUNTS.store(false, Ordering::Relaxed);
    let count = ALLOCATIONS.load(Ordering::Relaxed);
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(
        count <= 4 && largest <= QUEUE_BLOCK,
        "100 executions made {count} allocations, the largest of {largest} bytes"
    );
    let after = executable.download(&outputs[0]).unwrap();
    assert_ne!(before, after, "the state moved on, and the output with it");
}

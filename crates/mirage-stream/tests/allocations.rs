//! A live loop on a static plan allocates nothing in a frame after the first: frames go in as bytes, noise
//! is drawn anew, and bytes come out. A program of its own, so that no other test allocates beside it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "stream/common/mod.rs"]
mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use burn::tensor::Device;
use mirage_model::{ModelConfig, Size, build};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, Trajectory, capture_frame};
use mirage_video::{Scene, Source, SourceOptions};

use common::{planned, prepared, registry};

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

const FRAMES: usize = 40;

const PASSES: [&str; 3] = [
    "graph_capture",
    "channels_last,sdpa,fuse,graph_capture",
    "fp16{inputs=true},channels_last,sdpa,fuse,graph_capture",
];

/// One test, so that nothing allocates beside it.
#[test]
fn a_live_frame_allocates_nothing() {
    let models: [(&str, &[&str], usize); 2] = [
        ("stress-light", &["network.base_channels=16"], 32),
        ("lsd-tiny", &[], 64),
    ];
    for (model, overrides, side) in models {
        for passes in PASSES {
            let (count, largest, notes) = allocations(model, overrides, passes, side);
            assert!(!notes.contains("burn-flex"), "{model}, {passes}: {notes}");
            // One a block of the queue, however many kernels a frame has.
            assert!(
                count <= FRAMES && largest <= QUEUE_BLOCK,
                "{model}, passes `{passes}`: {FRAMES} frames made {count} allocations, the largest of \
                 {largest} bytes"
            );
        }
    }
}

/// The allocations of frames after the first two, their largest, and the executable's notes.
fn allocations(
    model: &str,
    overrides: &[&str],
    passes: &str,
    side: usize,
) -> (usize, usize, String) {
    let config = ModelConfig::load(model).unwrap();
    let config = config.with_overrides(overrides).unwrap();
    let model = build(&config, &Device::flex(), 5).unwrap();
    let sampler = SamplerConfig {
        eta: 0.5,
        ..SamplerConfig::default()
    };
    let trajectory = Trajectory::plan(&config.schedule, &sampler).unwrap();
    let size = Size {
        width: side,
        height: side,
    };
    let captured = capture_frame(&model, size, &trajectory).unwrap();
    let executable = prepared(&captured, &planned(&registry(), passes)).executable;
    let notes = executable.notes().join("\n");
    let mut session = Session::new(executable, 7, NoisePolicy::Fresh).unwrap();

    // Decoding stands aside.
    let options = SourceOptions {
        scene_size: (side as u32, side as u32),
        ..SourceOptions::default()
    };
    let mut scene = Scene::new(&options).unwrap();
    let mut frames: Vec<_> = (0..FRAMES + 2)
        .map(|_| scene.next_frame().unwrap().unwrap())
        .collect();
    let sources = frames.clone();
    let (warm, live) = frames.split_at_mut(2);
    for frame in warm {
        session.run(frame).unwrap();
    }
    ALLOCATIONS.store(0, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
    COUNTS.store(true, Ordering::Relaxed);
    for frame in &mut *live {
        session.run(frame).unwrap();
    }
    COUNTS.store(false, Ordering::Relaxed);
    let count = ALLOCATIONS.load(Ordering::Relaxed);
    let largest = LARGEST.load(Ordering::Relaxed);
    assert_ne!(
        live[FRAMES - 1],
        sources[FRAMES + 1],
        "frames were processed"
    );
    assert_ne!(live[FRAMES - 1], live[0]);
    (count, largest, notes)
}

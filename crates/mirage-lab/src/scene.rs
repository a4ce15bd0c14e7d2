//! The built-in scene as frames in memory.

use mirage_video::{Filter, Frame, Resizer, SourceOptions, open_source};

use crate::Result;

/// Returns the first frames of the built-in scene, resized to the model's size.
///
/// # Errors
/// If the size is invalid.
pub fn scene(count: usize, (width, height): (u32, u32), seed: u64) -> Result<Vec<Frame>> {
    let options = SourceOptions {
        frames: Some(count as u64),
        seed,
        ..SourceOptions::default()
    };
    let mut source = open_source("scene", &options)?;
    let mut resizer = Resizer::new(Filter::Lanczos3);
    let mut frames = Vec::with_capacity(count);
    while let Some(frame) = source.next_frame()? {
        let small = resizer.resize(&frame, width, height);
        frames.push(small?);
    }
    Ok(frames)
}

//! The built-in scene as frames in memory.

use mirage_video::{Filter, Frame, Resizer, SourceOptions, open_source};

use crate::Result;

/// Its first frames in the model's size.
///
/// # Errors
/// A size that frames cannot have.
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

//! What a user of the crate relies on, through its public interface.

// The helpers are tests too; clippy sees that only of `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod ffmpeg;
mod gif_canvas;
mod outputs;
mod pipeline;
mod recording;
mod round_trips;
mod scene;
mod support;
mod times;
mod y4m_reading;

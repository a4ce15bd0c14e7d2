//! The networks, in burn.

mod attention;
mod level;
mod live_stream_unet;
mod memory;
mod residual;
mod seeding;
mod time;

pub use live_stream_unet::LiveStreamUNet;

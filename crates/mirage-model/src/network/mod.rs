//! The networks, in burn.

mod attention;
mod batch_norm;
mod level;
mod live_stream_unet;
mod memory;
mod residual;
mod seeding;
mod stress;
mod time;

pub(crate) use batch_norm::BatchNorm;
pub use live_stream_unet::LiveStreamUNet;
pub use stress::StressNetwork;

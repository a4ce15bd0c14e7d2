//! Video frames, sources and sinks, resizing, and a pipeline of threads with bounded queues.
//!
//! ```no_run
//! use mirage_video::{Frame, Pipeline, SinkOptions, SourceOptions, open_sink, open_source};
//!
//! # fn main() -> mirage_video::Result<()> {
//! let source = open_source("scene", &SourceOptions { frames: Some(48), ..Default::default() })?;
//! let sink = open_sink("out.gif", source.info(), &SinkOptions::default())?;
//! let outcome = Pipeline::default().run(
//!     source,
//!     sink,
//!     |frame: Frame| Ok::<_, std::io::Error>(frame),
//!     |progress| tracing::debug!(delivered = progress.accounting.delivered),
//! );
//! let done = outcome.into_result()?;
//! assert_eq!(done.accounting.total(), done.frames_read);
//! # Ok(())
//! # }
//! ```
//!
//! The crate does not depend on networks or engines. Invalid files are reported as [`Error`]s, never by
//! panics. Files are written atomically: under a temporary name in the same folder, renamed when
//! complete.

mod color;
mod error;
mod ffmpeg;
mod format;
mod frame;
mod nut;
mod path;
mod pipeline;
mod psnr;
mod resize;
mod resized;
mod sink;
mod sound;
mod source;
mod timing;

pub use color::{ColorMatrix, ColorRange};
pub use error::{Error, Result};
pub use ffmpeg::{FfmpegTools, kill_processes};
pub use format::{Animation, SinkFormat, SourceFormat};
pub use frame::{Frame, MAX_PIXELS, MAX_SIDE, Rational, VideoInfo};
pub use pipeline::{
    Accounting, OnFrameError, OnSourceError, Outcome, Pipeline, Policy, Progress, Recording, Span,
    Stage, Timings,
};
pub use psnr::{PsnrMean, psnr};
pub use resize::{Filter, Resizer};
pub use resized::{resized_sink, resized_source};
pub use sink::{End, Sink, SinkOptions, Summary, Written, Y4mSampling, open_sink};
pub use sound::Sound;
pub use source::{Damage, Ending, Scene, Source, SourceOptions, open_source};

//! Real-time video diffusion: a model written once in burn, captured into a graph, rewritten by passes,
//! compiled by a backend, and run on a live stream of frames.
//!
//! [`Pipeline::builder`] sets a model, passes and a backend; [`PipelineBuilder::build`] returns a
//! [`Stream`], and [`Stream::push`] runs one frame:
//!
//! ```
//! use mirage::{Event, Frame, Pipeline};
//!
//! # fn main() -> Result<(), mirage::Error> {
//! let mut stream = Pipeline::builder()
//!     .model("lsd-tiny")
//!     .size(32, 32)
//!     .steps(1)
//!     .passes("sdpa,fuse")
//!     .backend("cpu")
//!     .on_event(|event| {
//!         if let Event::Compiled { time } = event {
//!             assert!(!time.is_zero());
//!         }
//!     })
//!     .build()?;
//!
//! // A frame of any size is resized to 32x32 for the model, and back.
//! let frame = Frame::from_rgb(64, 48, 0, vec![128; 3 * 64 * 48])?;
//! let output = stream.push(&frame)?;
//! assert_eq!((output.width(), output.height()), (64, 48));
//! # Ok(())
//! # }
//! ```
//!
//! # A model of your own
//!
//! A burn module that implements [`StreamModel`] streams like a built-in one: see
//! [`PipelineBuilder::own_model`]. Its frames may be latents, and it may have conditioning inputs.
//!
//! # Passes and backends of your own
//!
//! Passes and backends that are registered in crates linked into the program can be used by name: see
//! [`mirage_pass::Pass`] and [`mirage_backend::Backend`].

mod builder;
mod error;
mod event;
mod job;
mod own;
mod stream;

#[cfg(feature = "cpu")]
use mirage_backend_cpu as _;

pub use builder::{Pipeline, PipelineBuilder};
pub use error::Error;
pub use event::Event;
pub use job::{Job, ModelFacts};
pub use stream::Stream;

pub use mirage_backend::{Backend, BackendError, MemoryReport, backends};
pub use mirage_ir::{DType, Graph, TensorData};
pub use mirage_model::{
    FrameFormat, ModelConfig, ModelError, NamedTensors, Size, StepInput, StepOutput, StreamModel,
    TensorSpec,
};
pub use mirage_pass::{Pass, PassInfo, PipelineReport, PipelineSpec, Registry};
pub use mirage_stream::{NoisePolicy, SamplerConfig, Session, StreamError};
pub use mirage_video::Frame;

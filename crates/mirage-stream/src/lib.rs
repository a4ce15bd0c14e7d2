//! Live streams: the sampler, the frame program, and running it on video.
//!
//! A frame program ([`capture_frame`]) is one captured graph for a whole frame: the sampler's steps
//! ([`Trajectory`]) around the model, the temporal blend, the state's update. [`prepare`] takes it
//! through a pipeline of passes to an executable, a [`Session`] puts frames through that,
//! [`run_live`] joins it to a source and a sink, [`compare`] runs two of them side by side,
//! [`profile`] times every node, [`trace_live`] records a timeline, and [`by_execution`] and [`difference`]
//! check the results of a backend.

mod compare;
mod error;
mod finite;
mod live;
mod memory;
mod noise;
mod parity;
mod prepare;
mod profile;
mod program;
mod report;
mod sampler;
mod session;
mod trace;

pub use compare::{Comparison, compare};
pub use error::StreamError;
pub use finite::{NotFinite, Ranges};
pub use live::{LiveOptions, LiveOutcome, StageTimes, run_live};
pub use mirage_stats::{Percentiles, Ratio};
pub use noise::{Noise, NoisePolicy};
pub use parity::{
    Named, bound, by_definition, by_execution, difference, frame_bound, parity_inputs,
};
pub use prepare::{Prepared, prepare};
pub use profile::{Profile, ProfiledExecution, profile};
pub use program::{
    FRAME, MAX_INLINED_STEPS, MEAN, NOISE, OUTPUT, PREVIOUS, capture_forward, capture_frame,
};
pub use report::{
    BackendReport, DamageReport, GraphChange, Machine, MemoryReportBytes, ModelReport, PassReport,
    REPORT_SCHEMA, RunReport, SamplerReport, main_dtype,
};
pub use sampler::{MAX_STEPS, SamplerConfig, SamplerStep, Trajectory};
pub use session::Session;
pub use trace::{FrameTrace, Lap, Trace, trace_live};

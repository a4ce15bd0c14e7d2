//! Arguments that commands share.

mod backend;
mod frame;
mod job;
mod limits;
mod model;
mod passes;
mod values;

pub(crate) use backend::{BackendArgs, usable};
pub(crate) use frame::{FrameArgs, frame_size, plan_trajectory};
pub(crate) use job::Request;
pub(crate) use limits::LimitsArgs;
pub(crate) use model::ModelArgs;
pub(crate) use passes::{PassArgs, lowering};
pub(crate) use values::{SizeArg, percent, rate, time};

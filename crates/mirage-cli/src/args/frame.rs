//! The frame that a command works on.

use clap::Args;
use mirage_model::{ModelConfig, Size};
use mirage_stream::{SamplerConfig, Trajectory};

use super::SizeArg;
use crate::error::{CliError, Ending, Result};

/// A frame's size and steps.
#[derive(Args, Debug)]
pub(crate) struct FrameArgs {
    /// The frame's size in the model
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<SizeArg>,
    /// Denoising steps a frame
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps)]
    pub(crate) steps: usize,
}

/// The size that was asked for, or the model's own.
///
/// # Errors
/// The model does not run at it.
pub(crate) fn frame_size(asked: Option<SizeArg>, config: &ModelConfig) -> Result<Size> {
    let size = asked.map_or(config.size, |s| s.0);
    config.validate_size(size).usage()?;
    Ok(size)
}

/// The steps of a sampler.
///
/// # Errors
/// The sampler's fields, which have their flags' names, do not go with the model's schedule.
pub(crate) fn plan_trajectory(sampler: &SamplerConfig, config: &ModelConfig) -> Result<Trajectory> {
    Trajectory::plan(&config.schedule, sampler).map_err(|e| CliError::usage(format!("--{e}")))
}

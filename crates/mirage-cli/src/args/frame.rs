//! `--size` and `--steps`.

use clap::Args;
use mirage_model::{ModelConfig, Size};
use mirage_stream::{SamplerConfig, Trajectory};

use super::SizeArg;
use crate::error::{CliError, Ending, Result};

/// A frame's size and steps.
#[derive(Args, Debug)]
pub(crate) struct FrameArgs {
    /// The size of a frame in the model [default: the model's]
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<SizeArg>,
    /// Denoising steps per frame, 1 to 50
    #[arg(long, value_name = "N", default_value_t = SamplerConfig::default().steps)]
    pub(crate) steps: usize,
}

/// Returns the requested size, or the model's own.
///
/// # Errors
/// If the model cannot run at this size.
pub(crate) fn frame_size(asked: Option<SizeArg>, config: &ModelConfig) -> Result<Size> {
    let size = asked.map_or(config.size, |s| s.0);
    config.validate_size(size).usage()?;
    Ok(size)
}

/// Returns the trajectory of a sampler.
///
/// # Errors
/// If a setting of the sampler is out of its range. Its fields are named as their flags.
pub(crate) fn plan_trajectory(sampler: &SamplerConfig, config: &ModelConfig) -> Result<Trajectory> {
    Trajectory::plan(&config.schedule, sampler).map_err(|e| CliError::usage(format!("--{e}")))
}

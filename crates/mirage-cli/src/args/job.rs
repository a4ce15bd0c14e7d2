//! Arguments to a [`Job`].

use mirage_lab::Job;
use mirage_pass::{PipelineSpec, Plan, Registry, plan};
use mirage_stream::{NoisePolicy, SamplerConfig};

use super::{BackendArgs, FrameArgs, ModelArgs, PassArgs, SizeArg, frame_size, plan_trajectory};
use crate::error::{Ending, Result};

/// The parts of a command line that describe a job.
pub(crate) struct Request<'a> {
    pub(crate) model: &'a ModelArgs,
    pub(crate) size: Option<SizeArg>,
    pub(crate) sampler: SamplerConfig,
    pub(crate) noise: NoisePolicy,
    /// `None` for only the passes that always run.
    pub(crate) passes: Option<&'a PassArgs>,
    pub(crate) backend: &'a BackendArgs,
}

impl<'a> Request<'a> {
    /// Returns a request with the default sampler and the same noise in every frame.
    pub(crate) fn new(
        model: &'a ModelArgs,
        frame: &FrameArgs,
        passes: Option<&'a PassArgs>,
        backend: &'a BackendArgs,
    ) -> Self {
        Request {
            model,
            size: frame.size,
            sampler: SamplerConfig {
                steps: frame.steps,
                ..SamplerConfig::default()
            },
            noise: NoisePolicy::Fixed,
            passes,
            backend,
        }
    }

    /// Returns the job.
    ///
    /// # Errors
    /// The first argument that is wrong, or that the model does not support.
    pub(crate) fn resolve(&self, registry: &Registry) -> Result<Job> {
        let config = self.model.config()?;
        let size = frame_size(self.size, &config)?;
        let trajectory = plan_trajectory(&self.sampler, &config)?;
        let (asked, plan) = self.passes(registry)?;
        Ok(Job {
            config,
            weights: self.model.weights.clone(),
            seed: self.model.seed,
            size,
            sampler: self.sampler,
            trajectory,
            noise: self.noise,
            asked,
            plan,
            backend: self.backend.resolve()?,
            device: self.backend.device,
        })
    }

    fn passes(&self, registry: &Registry) -> Result<(PipelineSpec, Plan)> {
        match self.passes {
            Some(passes) => {
                let asked = passes.spec()?;
                let plan = passes.plan(registry, &asked)?;
                Ok((asked, plan))
            }
            None => {
                let asked = PipelineSpec::empty();
                let plan = plan(registry, &asked).failure()?;
                Ok((asked, plan))
            }
        }
    }
}

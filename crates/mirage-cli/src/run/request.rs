//! Validates the command line before any work is done.

use mirage_lab::Job;
use mirage_pass::{PipelineSpec, Plan, Registry, plan};
use mirage_stream::NoisePolicy;
use mirage_video::SourceOptions;

use super::{RunArgs, arguments::NoiseArg};
use crate::{
    args::Request as JobRequest,
    error::{Ending, Result},
};

/// Default number of frames of the endless scene.
const SCENE_FRAMES: u64 = 48;

/// A validated command line.
pub(super) struct Request {
    pub(super) job: Job,
    /// The plan to compare with: the passes that always run. `None` if no others run.
    pub(super) reference: Option<Plan>,
    pub(super) source: SourceOptions,
}

impl Request {
    pub(super) fn resolve(args: &RunArgs) -> Result<Self> {
        let registry = Registry::linked().failure()?;
        let request = JobRequest {
            model: &args.model,
            size: args.size,
            sampler: args.sampler(),
            noise: match args.noise {
                NoiseArg::Fixed => NoisePolicy::Fixed,
                NoiseArg::Fresh => NoisePolicy::Fresh,
            },
            passes: Some(&args.passes),
            backend: &args.backend,
        };
        let job = request.resolve(&registry)?;
        let always = plan(&registry, &PipelineSpec::empty()).failure()?;
        let frames = args
            .frames
            .or((args.input() == "scene").then_some(SCENE_FRAMES));
        let source = args.source_options(frames);
        Ok(Request {
            reference: (job.plan != always).then_some(always),
            job,
            source,
        })
    }
}

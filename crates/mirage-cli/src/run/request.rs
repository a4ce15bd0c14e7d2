//! Validates the command line before any work is done.

use std::path::{Path, PathBuf};

use mirage_lab::Job;
use mirage_pass::{PipelineSpec, Plan, Registry, plan};
use mirage_stream::NoisePolicy;
use mirage_video::SourceOptions;

use super::{RunArgs, arguments::NoiseArg};
use crate::{
    args::Request as JobRequest,
    error::{CliError, Ending, Result},
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
        check_files(args)?;
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

/// Refuses a report that would overwrite the input or the output.
fn check_files(args: &RunArgs) -> Result<()> {
    let Some(report) = &args.report else {
        return Ok(());
    };
    let flags = [("--output", args.output()), ("--input", args.input())];
    for (flag, video) in flags {
        let is_stream = matches!(video, "-" | "scene");
        if !is_stream && is_same_file(report, Path::new(video)) {
            return Err(CliError::usage(format!(
                "--report {} and {flag} {video} are the same file; give the report another name",
                report.display()
            )));
        }
    }
    Ok(())
}

/// Returns whether two names are of the same file, which need not exist. Devices may be written twice.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let is_file = |path: &Path| path.is_file() || !path.exists();
    is_file(a) && (a == b || matches!((canonical(a), canonical(b)), (Some(a), Some(b)) if a == b))
}

/// Returns the canonical path of a file that need not exist.
fn canonical(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = match path.parent()? {
        folder if folder == Path::new("") => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

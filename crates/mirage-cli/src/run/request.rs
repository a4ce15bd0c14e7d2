//! What a command line asks for. Every mistake in it is found here, before any work.

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

/// Frames of the scene, which has no end of its own.
const SCENE_FRAMES: u64 = 48;

/// A resolved command line.
pub(super) struct Request {
    pub(super) job: Job,
    /// What to compare with: the passes that always run. `None` if those are all there are.
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
        let source = SourceOptions {
            frames,
            fps: args.fps,
            seed: args.model.seed,
            realtime: args.live,
            ..SourceOptions::default()
        };
        Ok(Request {
            reference: (job.plan != always).then_some(always),
            job,
            source,
        })
    }
}

/// Refuses a report that would take the place of the video or of the input.
fn check_files(args: &RunArgs) -> Result<()> {
    let Some(report) = &args.report else {
        return Ok(());
    };
    let flags = [("--output", args.output()), ("--input", args.input())];
    for (flag, video) in flags {
        let is_stream = matches!(video, "-" | "scene");
        if !is_stream && is_same_file(report, Path::new(video)) {
            return Err(CliError::usage(format!(
                "--report {} and {flag} {video} are the same file: give the report a name of its own",
                report.display()
            )));
        }
    }
    Ok(())
}

/// Whether two names are of one file, which need not be there. A device may take what comes from
/// both.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let is_file = |path: &Path| path.is_file() || !path.exists();
    is_file(a) && (a == b || matches!((whole(a), whole(b)), (Some(a), Some(b)) if a == b))
}

/// The path without links and dots: of the file, or of the folder that it will be in.
fn whole(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = match path.parent()? {
        folder if folder == Path::new("") => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

//! What a command line asks for. Every mistake in it is found here, before any work.

use std::path::{Path, PathBuf};

use mirage_backend::{Backend, Executable};
use mirage_model::{ModelConfig, Size};
use mirage_pass::{PipelineSpec, Plan, Registry, plan};
use mirage_stream::{NoisePolicy, SamplerConfig, Session, Trajectory};
use mirage_video::SourceOptions;

use super::{RunArgs, arguments::NoiseArg};
use crate::{
    args::{frame_size, plan_trajectory},
    error::{CliError, Ending, Result},
};

/// Frames of the scene, which has no end of its own.
const SCENE_FRAMES: u64 = 48;

/// A resolved command line.
pub(super) struct Job {
    pub(super) config: ModelConfig,
    pub(super) size: Size,
    pub(super) sampler: SamplerConfig,
    pub(super) trajectory: Trajectory,
    /// The passes as they were asked for.
    pub(super) asked: PipelineSpec,
    /// The passes as they will run.
    pub(super) plan: Plan,
    /// What to compare with: the passes that always run. `None` if those are all there are.
    pub(super) reference: Option<Plan>,
    pub(super) backend: &'static dyn Backend,
    pub(super) source: SourceOptions,
}

impl Job {
    pub(super) fn resolve(args: &RunArgs) -> Result<Self> {
        check_files(args)?;
        let config = args.model.config()?;
        let size = frame_size(args.size, &config)?;
        let sampler = args.sampler();
        let trajectory = plan_trajectory(&sampler, &config)?;
        let registry = Registry::linked().failure()?;
        let asked = args.passes.spec()?;
        let chosen = args.passes.plan(&registry)?;
        let always = plan(&registry, &PipelineSpec::empty()).failure()?;
        let backend = args.backend.resolve()?;
        let frames = args
            .frames
            .or((args.input == "scene").then_some(SCENE_FRAMES));
        let source = SourceOptions {
            frames,
            fps: args.fps,
            seed: args.model.seed,
            realtime: args.live,
            ..SourceOptions::default()
        };
        Ok(Job {
            config,
            size,
            sampler,
            trajectory,
            asked,
            reference: (chosen != always).then_some(always),
            plan: chosen,
            backend,
            source,
        })
    }

    /// A stream at its start.
    pub(super) fn session(
        &self,
        executable: Box<dyn Executable>,
        args: &RunArgs,
    ) -> Result<Session> {
        let policy = match args.noise {
            NoiseArg::Fixed => NoisePolicy::Fixed,
            NoiseArg::Fresh => NoisePolicy::Fresh,
        };
        Session::new(executable, args.model.seed, policy).failure()
    }
}

/// Refuses a report that would take the place of the video or of the input.
fn check_files(args: &RunArgs) -> Result<()> {
    let Some(report) = &args.report else {
        return Ok(());
    };
    let flags = [("--output", &args.output), ("--input", &args.input)];
    for (flag, video) in flags {
        let is_stream = matches!(video.as_str(), "-" | "scene");
        if !is_stream && is_same_file(report, Path::new(video)) {
            return Err(CliError::Usage(format!(
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

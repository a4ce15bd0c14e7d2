//! From a job to a program that is ready to run.

use mirage::{Event, Job, Stream};
use mirage_pass::{Manager, instrument::Dump};

use super::RunArgs;
use crate::{error::Result, progress::Progress, units::plural};

/// Builds the model, captures a frame, runs the passes, compiles.
pub(super) fn start(args: &RunArgs, job: &Job, progress: Progress) -> Result<Stream> {
    let name = &job.config.name;
    let mut stage = progress.stage(format!("capturing a frame of {name}"));
    let stream = Stream::start(job, manager(args), &mut |event| match event {
        Event::Captured { .. } => {
            let passes = plural(job.plan.steps.len() as u64, "step");
            stage = progress.stage(format!("running a pipeline of {passes}"));
        }
        Event::Pass { index, of, .. } if index + 1 == of => {
            stage = progress.stage("compiling");
        }
        _ => {}
    })?;
    drop(stage);
    Ok(stream)
}

fn manager(args: &RunArgs) -> Manager<'static> {
    let mut manager = Manager::new();
    if let Some(folder) = &args.dump_dir {
        manager = manager.with(Dump::new(folder));
    }
    if let Some(folder) = &args.reproducers {
        manager = manager.reproducers(folder);
    }
    manager
}

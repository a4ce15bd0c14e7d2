//! Compiles a job into a stream.

use std::path::Path;

use mirage::{Event, Job, Stream};
use mirage_pass::{Manager, instrument::Dump};

use super::RunArgs;
use crate::{error::Result, progress::Progress};

/// Builds the model, captures a frame, runs the passes, compiles.
pub(super) fn start(args: &RunArgs, job: &Job, progress: Progress) -> Result<Stream> {
    let name = &job.config.name;
    let mut stage = progress.stage(format!("capturing a frame of {name}"));
    let stream = Stream::start(job, manager(args), &mut |event| match event {
        Event::Captured { .. } => {
            stage = progress.stage(format!("running {} passes", job.plan.steps.len()));
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
        remove_dumps(folder);
        manager = manager.with(Dump::new(folder));
    }
    if let Some(folder) = &args.reproducers {
        manager = manager.reproducers(folder);
    }
    manager
}

/// Removes the dumps of an earlier run, `NN-PASS.txt`, so that the folder holds only those of this run.
fn remove_dumps(folder: &Path) {
    let is_dump = |name: &str| {
        let (number, pass) = name.strip_suffix(".txt")?.split_once('-')?;
        let is_pass = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let digits = number.len() >= 2 && number.chars().all(|c| c.is_ascii_digit());
        (digits && pass.chars().all(is_pass)).then_some(())
    };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files {
        if file.file_name().to_str().and_then(is_dump).is_some() {
            // If a file cannot be removed, writing the dump fails and reports it.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

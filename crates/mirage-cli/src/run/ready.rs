//! From a job to a program that is ready to run.

use std::time::Duration;

use mirage_lab::{Job, ModelFacts};
use mirage_pass::{Manager, PipelineReport, instrument::Dump};
use mirage_stream::{Session, main_dtype};

use super::RunArgs;
use crate::{error::Result, progress::Progress, units::plural};

/// What is known of the program besides the session that runs it.
pub(super) struct Ready {
    pub(super) model: ModelFacts,
    /// What the passes did.
    pub(super) pipeline: PipelineReport,
    /// How long the backend compiled.
    pub(super) compile_time: Duration,
    /// The dtype that most operations run in.
    pub(super) dtype: &'static str,
}

impl Ready {
    /// Builds the model, captures a frame, runs the passes, compiles.
    pub(super) fn prepare(
        args: &RunArgs,
        job: &Job,
        progress: Progress,
    ) -> Result<(Self, Session)> {
        let stage = progress.stage(format!("capturing a frame of {}", job.config.name));
        let (captured, model) = job.capture()?;
        drop(stage);

        let passes = plural(job.plan.steps.len() as u64, "step");
        let stage = progress.stage(format!("running a pipeline of {passes}, then compiling"));
        let prepared = job.prepare(&captured, &mut manager(args))?;
        // The executable has the weights in its own form.
        drop((stage, captured));

        let ready = Ready {
            model,
            pipeline: prepared.pipeline,
            compile_time: prepared.compile_time,
            dtype: main_dtype(&prepared.graph).name(),
        };
        Ok((ready, job.session(prepared.executable)?))
    }
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

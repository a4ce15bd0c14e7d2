//! From a job to a program that is ready to run.

use std::time::Duration;

use mirage_model::parameter_count;
use mirage_pass::{Manager, PipelineReport, instrument::Dump};
use mirage_stream::{Session, capture_frame, main_dtype, prepare};

use super::{RunArgs, job::Job};
use crate::{
    error::{Ending, Result},
    progress::Progress,
    units::plural,
};

/// What is known of the program besides the session that runs it.
pub(super) struct Ready {
    /// The number of the model's parameters.
    pub(super) parameters: usize,
    /// Whether the weights came from a file.
    pub(super) trained: bool,
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
        let name = &job.config.name;
        let stage = progress.stage(format!("building {name}"));
        let model = args.model.build(&job.config)?;
        let (parameters, trained) = (parameter_count(&model), model.is_trained());
        drop(stage);

        let stage = progress.stage(format!("capturing a frame of {name}"));
        let captured = capture_frame(&model, job.size, &job.trajectory).failure()?;
        drop((stage, model));

        let passes = plural(job.plan.steps.len() as u64, "step");
        let stage = progress.stage(format!("running a pipeline of {passes}, then compiling"));
        let mut manager = manager(args);
        let options = args.backend.options();
        let prepared =
            prepare(&captured, &job.plan, &mut manager, job.backend, &options).failure()?;
        // The executable has the weights in its own form.
        drop((stage, captured));

        let ready = Ready {
            parameters,
            trained,
            pipeline: prepared.pipeline,
            compile_time: prepared.compile_time,
            dtype: main_dtype(&prepared.graph).name(),
        };
        Ok((ready, job.session(prepared.executable, args)?))
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

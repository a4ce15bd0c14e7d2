//! `mirage profile`.

mod arguments;
mod collect;
mod outputs;
mod show;
mod trace;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use mirage_backend::Backend;
use mirage_bench::{
    ledger::{Machine, PassId, Roofline},
    machine::Watch,
    profile::{Document, Profile},
};
use mirage_model::{ModelConfig, Size, parameter_count};
use mirage_pass::{Manager, PassSpec, PipelineSpec, Plan, Registry};
use mirage_stream::{
    NoisePolicy, Session, Trace, Trajectory, capture_frame, prepare, profile, trace_live,
};
use mirage_video::{Pipeline, SinkOptions, SourceOptions, open_sink, open_source};

pub(crate) use self::arguments::ProfileArgs;
use self::{collect::Found, outputs::Outputs};
use crate::{
    error::{CliError, Ending, Result, of_video},
    interrupt::stop_on_interrupt,
    output::Stream,
    progress::Progress,
    scene::scene,
};

/// A resolved command line.
struct Job {
    config: ModelConfig,
    size: Size,
    trajectory: Trajectory,
    /// The passes as they were asked for.
    asked: PipelineSpec,
    /// The passes as they will run.
    plan: Plan,
    backend: &'static dyn Backend,
    machine: Machine,
}

impl ProfileArgs {
    /// Runs the command; `quiet_log` is whether nothing but errors is logged, so that a progress bar
    /// is not disturbed.
    pub(crate) fn run(&self, quiet_log: bool) -> Result<()> {
        let mut job = self.resolve()?;
        let outputs = Outputs::create(self)?;
        let stop = stop_on_interrupt()?;
        let progress = Progress::new(quiet_log && !self.json);
        job.machine.roofline = self.limits(&job.machine, progress)?;

        let stage = progress.stage(format!("preparing {}", job.config.name));
        let model = self.model.build(&job.config)?;
        let (parameters, trained) = (parameter_count(&model), model.is_trained());
        let captured = capture_frame(&model, job.size, &job.trajectory).failure()?;
        drop(model);
        let options = self.backend.options();
        let manager = &mut Manager::new();
        let prepared = prepare(&captured, &job.plan, manager, job.backend, &options).failure()?;
        drop((stage, captured));
        let (memory, notes) = (
            prepared.executable.memory(),
            prepared.executable.notes().to_vec(),
        );
        let seed = self.model.seed;
        let mut session = Session::new(prepared.executable, seed, NoisePolicy::Fixed).failure()?;

        let watch = Watch::start();
        let times = self.measure(&mut session, &stop, progress)?;
        let load = watch.finish();
        let found = Found {
            graph: &prepared.graph,
            times: &times,
            memory,
            notes,
            warnings: load.warnings(),
            parameters,
            trained,
        };
        let profile = found.profile(&job, self.model.seed)?;
        let trace = match self.trace {
            Some(_) => {
                let run = self.live(&mut session, &stop, progress)?;
                Some(trace::chrome_trace(&prepared.graph, &run))
            }
            None => None,
        };
        outputs.finish(&profile, trace.as_ref())?;
        self.tell(&profile)
    }

    fn resolve(&self) -> Result<Job> {
        let config = self.model.config()?;
        let (size, trajectory) = self.frame.resolve(&config)?;
        if self.frames < self.warmup.saturating_add(2) {
            return Err(CliError::Usage(format!(
                "--frames {} leaves fewer than 2 after --warmup {}: one to profile, one to compare with",
                self.frames, self.warmup
            )));
        }
        let plan = self.passes.plan(&Registry::linked().failure()?)?;
        let backend = self.backend.resolve()?;
        Ok(Job {
            config,
            size,
            trajectory,
            asked: self.passes.spec()?,
            plan,
            backend,
            machine: collect::machine(backend, self.backend.device),
        })
    }

    /// What the machine reaches; `None` where that is not wanted or not known.
    fn limits(&self, machine: &Machine, progress: Progress) -> Result<Option<Roofline>> {
        if self.no_roofline {
            return Ok(None);
        }
        let _stage = progress.stage("measuring what the machine reaches");
        match self.limits.roofline(&machine.device) {
            Ok(roofline) => Ok(Some(roofline)),
            Err(why) if self.roofline.is_some() => {
                Err(CliError::Failure(format!("{why}, or leave --roofline out")))
            }
            Err(_) => Ok(None),
        }
    }

    /// Frames in turn with and without the time of every node.
    fn measure(
        &self,
        session: &mut Session,
        stop: &AtomicBool,
        progress: Progress,
    ) -> Result<mirage_stream::Profile> {
        let frames = scene(self.frames, session.size(), self.model.seed)?;
        let bar = progress.frames("profiling", Some(frames.len() as u64));
        let times = profile(session, &frames, self.warmup, |done| {
            bar.done(done as u64);
            !stop.load(Ordering::Relaxed)
        });
        times.failure()?.ok_or_else(interrupted)
    }

    /// A short run of the built-in scene to a GIF that is thrown away, as `mirage run` does it.
    fn live(
        &self,
        session: &mut Session,
        stop: &Arc<AtomicBool>,
        progress: Progress,
    ) -> Result<Trace> {
        let options = SourceOptions {
            frames: Some(u64::from(self.trace_frames)),
            seed: self.model.seed,
            ..SourceOptions::default()
        };
        let source = open_source("scene", &options).map_err(|e| of_video(&e))?;
        let folder = tempfile::tempdir().failure()?;
        let output = folder.path().join("trace.gif");
        let output = output.to_string_lossy();
        let sink = open_sink(&output, source.info(), &SinkOptions::default());
        let sink = sink.map_err(|e| of_video(&e))?;
        session.restart().failure()?;
        let bar = progress.frames("tracing", options.frames);
        let pipeline = Pipeline {
            stop: Arc::clone(stop),
            ..Pipeline::default()
        };
        let trace = trace_live(session, &pipeline, source, sink, |p| {
            bar.done(p.accounting.delivered);
        });
        match stop.load(Ordering::Relaxed) {
            true => Err(interrupted()),
            false => trace.failure(),
        }
    }

    fn tell(&self, profile: &Profile) -> Result<()> {
        match self.json {
            true => Stream::Stdout.emit_json(&Document::of(profile)),
            false => Stream::Stdout.emit(&show::text(self, profile)),
        }
    }
}

impl Job {
    /// The passes that were asked for, with the versions that run.
    fn passes(&self) -> Vec<PassId> {
        let id = |spec: &PassSpec| {
            let name = spec.name().replace('-', "_");
            let step = self.plan.steps.iter().find(|s| s.info().name == name);
            PassId {
                version: step.map_or(0, |s| s.info().version),
                spec: spec.to_string(),
                name,
            }
        };
        self.asked.passes.iter().map(id).collect()
    }
}

fn interrupted() -> CliError {
    CliError::Interrupted("interrupted before the profile was done; nothing was written".to_owned())
}

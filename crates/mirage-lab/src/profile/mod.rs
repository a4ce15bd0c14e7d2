//! Profiles the time and memory of a frame by node, and traces a live run.

mod collect;
mod numbers;
mod trace;

use std::sync::{Arc, atomic::AtomicBool};

use mirage_bench::profile::Profile;
use mirage_ir::Graph;
use mirage_machine::{Roofline, Watch};
use mirage_pass::Manager;
use mirage_stream::{Session, Trace, profile, trace_live};
use mirage_video::{Pipeline, SinkOptions, SourceOptions, open_sink, open_source};

use self::collect::RawProfile;
pub use self::trace::chrome_trace;
use crate::{Event, Job, LabError, ModelFacts, Observer, Result, scene};

/// A compiled frame program, to be profiled and traced.
pub struct Profiler {
    /// The graph that was compiled.
    pub graph: Graph,
    session: Session,
    model: ModelFacts,
}

impl Profiler {
    /// Builds the job's model, runs its passes and compiles.
    ///
    /// # Errors
    /// If the model cannot be captured, a pass fails, or the backend cannot compile.
    pub fn prepare(job: &Job, observer: &dyn Observer) -> Result<Self> {
        observer.tell(Event::Stage(&format!("preparing {}", job.config.name)));
        let (captured, model) = job.capture()?;
        let prepared = job.prepare(&captured, &mut Manager::new())?;
        drop(captured);
        let session = job.session(prepared.executable)?;
        observer.tell(Event::End);
        Ok(Profiler {
            graph: prepared.graph,
            session,
            model,
        })
    }

    /// Runs this many frames of the scene, profiles every second one and excludes the first `warmup`.
    /// `roofline` is the peak performance of the device, if known.
    ///
    /// # Errors
    /// If the backend fails, or if it is stopped before the last frame.
    pub fn profile(
        &mut self,
        job: &Job,
        (frames, warmup): (usize, usize),
        roofline: Option<Roofline>,
        observer: &dyn Observer,
    ) -> Result<Profile> {
        let watch = Watch::start();
        let frames = scene(frames, self.session.size(), job.seed)?;
        observer.tell(Event::Counted("profiling", frames.len() as u64));
        let times = profile(&mut self.session, &frames, warmup, |done| {
            observer.tell(Event::Done(done as u64));
            !observer.stopped()
        });
        let times = times?.ok_or_else(interrupted)?;
        observer.tell(Event::End);
        let executable = self.session.executable();
        let found = RawProfile {
            graph: &self.graph,
            times: &times,
            memory: executable.memory(),
            notes: executable.notes().to_vec(),
            warnings: watch.finish().warnings(),
            model: self.model,
        };
        found.profile(job, roofline)
    }

    /// Traces a live run of this many frames of the built-in scene, from the start of a stream. Its output is
    /// discarded. Setting `stop` ends it.
    ///
    /// # Errors
    /// If the backend fails, or if it is stopped before the last frame.
    pub fn trace(
        &mut self,
        job: &Job,
        frames: u64,
        stop: &Arc<AtomicBool>,
        observer: &dyn Observer,
    ) -> Result<Trace> {
        let options = SourceOptions {
            frames: Some(frames),
            seed: job.seed,
            ..SourceOptions::default()
        };
        let source = open_source("scene", &options)?;
        let folder = tempfile::tempdir()
            .map_err(|e| LabError::Failed(format!("cannot create a temporary folder: {e}")))?;
        let output = folder.path().join("trace.gif");
        let output = output.to_string_lossy();
        let sink = open_sink(&output, source.info(), &SinkOptions::default())?;
        self.session.restart()?;
        observer.tell(Event::Counted("tracing", frames));
        let pipeline = Pipeline {
            stop: Arc::clone(stop),
            ..Pipeline::default()
        };
        let trace = trace_live(&mut self.session, &pipeline, source, sink, |p| {
            observer.tell(Event::Done(p.accounting.delivered));
        });
        observer.tell(Event::End);
        match observer.stopped() {
            true => Err(interrupted()),
            false => Ok(trace?),
        }
    }
}

fn interrupted() -> LabError {
    LabError::Interrupted(
        "interrupted before the profile was complete; nothing was written".to_owned(),
    )
}

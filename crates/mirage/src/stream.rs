//! Running streams.

use std::{cell::RefCell, time::Duration};

use mirage_backend::{Backend, CompileOptions, MemoryReport};
use mirage_capture::Captured;
use mirage_ir::{Graph, TensorData};
use mirage_model::FrameFormat;
use mirage_pass::{Manager, PipelineReport, Plan};
use mirage_stream::{NoisePolicy, Session, prepare};
use mirage_video::{Filter, Frame, Resizer};

use crate::{
    Error, Event, Job, ModelFacts,
    event::{Listener, Passes},
};

/// A stream: a compiled frame program with its state.
pub struct Stream {
    session: Session,
    model: ModelFacts,
    graph: Graph,
    report: PipelineReport,
    compile_time: Duration,
    resizer: Resizer,
    notes: Vec<String>,
}

/// The settings for compiling a captured program.
pub(crate) struct Target<'a> {
    pub(crate) model: &'a str,
    pub(crate) plan: &'a Plan,
    pub(crate) backend: &'static dyn Backend,
    pub(crate) device: usize,
    pub(crate) seed: u64,
    pub(crate) noise: NoisePolicy,
}

impl Stream {
    /// Runs a job: captures its model, runs its passes by a manager with its instruments, and compiles. There is
    /// no warm-up.
    ///
    /// # Errors
    /// If the model cannot be captured, or a pass or the backend fails.
    pub fn start(
        job: &Job,
        manager: Manager<'_>,
        on_event: &mut (dyn FnMut(Event<'_>) + '_),
    ) -> Result<Self, Error> {
        let model = job.model()?;
        let captured = job.capture_from(&model)?;
        let (facts, notes) = (ModelFacts::of(&model), model.weight_notes().to_vec());
        drop(model);
        let target = Target {
            model: &job.config.name,
            plan: &job.plan,
            backend: job.backend,
            device: job.device,
            seed: job.seed,
            noise: job.noise,
        };
        let mut stream = Stream::compile(captured, facts, &target, manager, on_event)?;
        stream.notes.splice(0..0, notes);
        Ok(stream)
    }

    pub(crate) fn compile(
        captured: Captured,
        model: ModelFacts,
        target: &Target<'_>,
        manager: Manager<'_>,
        on_event: &mut Listener<'_>,
    ) -> Result<Self, Error> {
        on_event(Event::Captured {
            model: target.model,
            nodes: captured.graph.nodes().len(),
        });
        let options = CompileOptions {
            device: target.device,
        };
        let prepared = {
            let listener = RefCell::new(&mut *on_event);
            let mut manager = manager.with(Passes {
                listener: &listener,
                of: target.plan.steps.len(),
            });
            prepare(
                &captured,
                target.plan,
                &mut manager,
                target.backend,
                &options,
            )?
        };
        // The executable has the weights in its own form.
        drop(captured);
        on_event(Event::Compiled {
            time: prepared.compile_time,
        });
        let notes = prepared.executable.notes().to_vec();
        Ok(Stream {
            notes,
            session: Session::new(prepared.executable, target.seed, target.noise)?,
            model,
            graph: prepared.graph,
            report: prepared.pipeline,
            compile_time: prepared.compile_time,
            resizer: Resizer::new(Filter::Lanczos3),
        })
    }

    pub(crate) fn warm_up(
        &mut self,
        frames: usize,
        on_event: &mut Listener<'_>,
    ) -> Result<(), Error> {
        let (width, height) = self.session.size();
        for done in 1..=frames {
            match self.session.format() {
                FrameFormat::Latents { channels } => {
                    let elements = channels * width as usize * height as usize;
                    self.session.run_latents(0, &mut vec![0.0; elements])?;
                }
                FrameFormat::Picture { .. } => {
                    self.session.run(&mut Frame::new(width, height, 0)?)?;
                }
            }
            on_event(Event::WarmUp { done, of: frames });
        }
        self.restart()
    }

    /// Runs the next frame of the stream: an RGB frame of any size. The output has the same size.
    ///
    /// # Errors
    /// If the model's frames are not RGB images, a conditioning input is not set, the backend fails, or the
    /// output is not finite.
    pub fn push(&mut self, frame: &Frame) -> Result<Frame, Error> {
        let (width, height) = self.session.size();
        let mut small = self.resizer.resize(frame, width, height)?;
        self.session.run(&mut small)?;
        Ok(self.resizer.resize(&small, frame.width(), frame.height())?)
    }

    /// Runs the next frame of a stream of latents: replaces f32 `[C,H,W]` in row-major order by the output. `index` is the frame's number for messages.
    ///
    /// # Errors
    /// If the latents have another size, a conditioning input is not set, the backend fails, or the output is
    /// not finite.
    pub fn push_latents(&mut self, index: u64, latents: &mut [f32]) -> Result<(), Error> {
        self.session.run_latents(index, latents)?;
        Ok(())
    }

    /// Sets a conditioning input of the model, from the next frame on until it is set again.
    ///
    /// # Errors
    /// If the name is not a conditioning input, or the shape or dtype differs from the declared one.
    pub fn set_input(&mut self, name: &str, data: &TensorData) -> Result<(), Error> {
        Ok(self.session.set_input(name, data)?)
    }

    /// Restarts the stream: states are zero, noise is that of frame 0.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn restart(&mut self) -> Result<(), Error> {
        Ok(self.session.restart()?)
    }

    /// Returns the width and height at which the model runs.
    pub fn size(&self) -> (u32, u32) {
        self.session.size()
    }

    /// Returns facts about the model.
    pub fn model(&self) -> ModelFacts {
        self.model
    }

    /// Returns the compiled graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Returns the report on the passes.
    pub fn report(&self) -> &PipelineReport {
        &self.report
    }

    /// Returns the time of compilation.
    pub fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// Returns the memory of the program in bytes.
    pub fn memory(&self) -> MemoryReport {
        self.session.executable().memory()
    }

    /// Returns notes, a line each: what was done to a weight file to load it, then those of the backend, such as on
    /// fallbacks.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the session, for live runs, comparisons and profiles by [`mirage_stream`].
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

//! A job's frame in squares of growing size.

use std::time::Duration;

use mirage_bench::measure::Subject;
use mirage_ir::cost::graph_cost;
use mirage_model::{AnyModel, Size};
use mirage_pass::Manager;
use mirage_stream::Session;
use mirage_video::Frame;

use super::{
    Outcome, memory,
    resolution::{Built, Facts},
};
use crate::{Job, ModelFacts, Result, scene};

/// Frames of the scene that a side runs over and over.
const FRAMES: usize = 4;

/// A model that is built once and compiled at every side.
pub struct Sides {
    job: Job,
    model: AnyModel,
    /// The same network without its weights, to estimate with.
    outline: AnyModel,
}

impl Sides {
    /// Builds the job's model; the job's own size is not looked at.
    ///
    /// # Errors
    /// A model that cannot be built.
    pub fn new(job: Job) -> Result<Self> {
        Ok(Sides {
            model: job.model()?,
            outline: job.outline()?,
            job,
        })
    }

    /// What is known of the model.
    pub fn model(&self) -> ModelFacts {
        ModelFacts::of(&self.model)
    }

    /// The program of a side.
    ///
    /// # Errors
    /// Why there is none: it would not fit memory, or failed.
    pub fn build(&self, side: usize) -> std::result::Result<Built, Outcome> {
        fn failed(error: impl std::error::Error) -> Outcome {
            Outcome::Failed(error.to_string())
        }
        let job = Job {
            size: Size {
                width: side,
                height: side,
            },
            ..self.job.clone()
        };
        let outline = job.capture_from(&self.outline).map_err(failed)?;
        let (graph, _) = Manager::new()
            .run(&job.plan, &outline.graph, &job.capabilities())
            .map_err(failed)?;
        memory::fits(memory::needed(&graph), None).map_err(Outcome::Skipped)?;
        drop((outline, graph));

        let captured = job.capture_from(&self.model).map_err(failed)?;
        let prepared = job
            .prepare(&captured, &mut Manager::new())
            .map_err(failed)?;
        let (cost, held) = (graph_cost(&prepared.graph), prepared.executable.memory());
        let facts = Facts {
            flops: cost.flops,
            bytes: cost.bytes,
            weight_bytes: held.weight_bytes,
            planned_peak_bytes: held.planned_peak_bytes,
            held_bytes: held.held_bytes,
            compile_ms: prepared.compile_time.as_secs_f64() * 1e3,
        };
        let session = job.session(prepared.executable).map_err(failed)?;
        let scene = scene(FRAMES, session.size(), job.seed).map_err(failed)?;
        Ok(Built {
            frame: Box::new(Stream {
                session,
                scene,
                next: 0,
            }),
            facts,
        })
    }
}

/// A stream that runs frames of the scene over and over.
struct Stream {
    session: Session,
    scene: Vec<Frame>,
    next: usize,
}

impl Subject for Stream {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let frame = &self.scene[self.next];
        self.next = (self.next + 1) % self.scene.len();
        let time = self.session.run(&mut frame.clone());
        time.map_err(|e| e.to_string())
    }
}

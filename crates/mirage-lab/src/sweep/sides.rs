//! Compiles a job's frame at square sizes.

use std::time::Duration;

use mirage_bench::measure::Subject;
use mirage_ir::cost::graph_cost;
use mirage_model::{AnyModel, Size};
use mirage_pass::Manager;
use mirage_stream::Session;
use mirage_video::Frame;

use super::{
    Outcome, memory,
    resolution::{Facts, SideProgram},
};
use crate::{Job, ModelFacts, Result, scene};

/// The number of frames of the scene that a side repeats.
const FRAMES: usize = 4;

/// A model that is built once and compiled for every side.
pub struct Sides {
    job: Job,
    model: AnyModel,
    /// The network without weights, for estimates.
    outline: AnyModel,
}

impl Sides {
    /// Builds the job's model; the job's size is ignored.
    ///
    /// # Errors
    /// If the model cannot be built.
    pub fn new(job: Job) -> Result<Self> {
        Ok(Sides {
            model: job.model()?,
            outline: job.outline()?,
            job,
        })
    }

    /// Returns facts about the model.
    pub fn model(&self) -> ModelFacts {
        ModelFacts::of(&self.model)
    }

    /// Compiles the program of a side.
    ///
    /// # Errors
    /// If it would not fit into memory, or if it fails.
    pub fn build(&self, side: usize) -> std::result::Result<SideProgram, Outcome> {
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
        Ok(SideProgram {
            frame: Box::new(RepeatedScene {
                session,
                scene,
                next: 0,
            }),
            facts,
        })
    }
}

/// Runs the frames of the scene repeatedly.
struct RepeatedScene {
    session: Session,
    scene: Vec<Frame>,
    next: usize,
}

impl Subject for RepeatedScene {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let frame = &self.scene[self.next];
        self.next = (self.next + 1) % self.scene.len();
        let time = self.session.run(&mut frame.clone());
        time.map_err(|e| e.to_string())
    }
}

//! The sets of passes as programs that run.

use std::time::Duration;

use mirage_backend::{Backend, CompileOptions};
use mirage_bench::{
    frame_error::FrameError,
    ledger::{Build, Errors, Facts, Memory},
    measure::Subject,
};
use mirage_capture::Captured;
use mirage_ir::cost::graph_cost;
use mirage_pass::Manager;
use mirage_stream::{Noise, NoisePolicy, Session, main_dtype, prepare};
use mirage_video::Frame;

use super::Job;
use crate::{error::Result, profile::scene};

/// What all sets share.
pub(super) struct Bench<'a> {
    pub(super) job: &'a Job,
    pub(super) captured: &'a Captured,
    pub(super) backend: &'a dyn Backend,
    pub(super) options: CompileOptions,
    pub(super) seed: u64,
    /// Frames of the closed loop.
    pub(super) frames: usize,
}

/// A set's program, or why there is none.
pub(super) enum Built {
    /// It runs.
    Ready(Box<Ready>),
    /// A pass or the backend failed, or a frame.
    Failed(String),
}

/// A program that runs frames of the scene over and over.
pub(super) struct Ready {
    session: Session,
    scene: Vec<Frame>,
    next: usize,
    facts: Facts,
}

impl Built {
    /// Why it does not run.
    pub(super) fn failure(&self) -> Option<&str> {
        match self {
            Built::Ready(_) => None,
            Built::Failed(why) => Some(why),
        }
    }
}

impl Subject for Built {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let result = match self {
            Built::Ready(ready) => ready.run(),
            Built::Failed(why) => return Err(why.clone()),
        };
        if let Err(why) = &result {
            *self = Built::Failed(why.clone());
        }
        result
    }
}

impl Ready {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let frame = &self.scene[self.next];
        self.next = (self.next + 1) % self.scene.len();
        let made = self.session.next_at_size(frame);
        made.map(|m| m.time).map_err(|e| e.to_string())
    }

    /// The first and the last picture of a closed loop, f32 in [-1, 1].
    fn loop_ends(&mut self, scene: &[Frame]) -> std::result::Result<[Vec<f32>; 2], String> {
        self.session.restart().map_err(|e| e.to_string())?;
        let mut ends: [Vec<f32>; 2] = Default::default();
        for (i, frame) in scene.iter().enumerate() {
            let picture = self.session.planar_at_size(frame);
            let picture = picture.map_err(|e| e.to_string())?;
            if i == 0 {
                ends[0].clone_from(&picture);
            }
            ends[1] = picture;
        }
        Ok(ends)
    }
}

impl Bench<'_> {
    /// The frames of the closed loop, in the model's size.
    pub(super) fn scene(&self) -> Result<Vec<Frame>> {
        let size = (self.job.size.width as u32, self.job.size.height as u32);
        scene(self.frames, size, self.seed)
    }

    /// Runs a set's passes and compiles.
    pub(super) fn build(&self, set: &[usize], scene: &[Frame]) -> Built {
        match self.ready(set, scene) {
            Ok(ready) => Built::Ready(Box::new(ready)),
            Err(why) => Built::Failed(why),
        }
    }

    fn ready(&self, set: &[usize], scene: &[Frame]) -> std::result::Result<Ready, String> {
        let plan = self.job.plan(set)?;
        let prepared = prepare(
            self.captured,
            &plan,
            &mut Manager::new(),
            self.backend,
            &self.options,
        )
        .map_err(|e| e.to_string())?;
        let cost = graph_cost(&prepared.graph);
        let memory = prepared.executable.memory();
        let rewrites = prepared.pipeline.passes.iter().map(|p| p.rewrites as u64);
        let facts = Facts {
            build: Build {
                dtype: Some(main_dtype(&prepared.graph).name().to_owned()),
                compile_ms: Some(prepared.compile_time.as_secs_f64() * 1e3),
                rewrites: Some(rewrites.sum()),
            },
            memory: Memory {
                weight_bytes: Some(memory.weight_bytes),
                planned_peak_bytes: Some(memory.planned_peak_bytes),
                measured_peak_bytes: memory.held_bytes,
                resident_bytes: None,
            },
            flops: Some(cost.flops),
            bytes: Some(cost.bytes),
            error: None,
            notes: prepared.executable.notes().to_vec(),
        };
        let elements = self.job.trajectory.draws() * 3 * self.job.size.width * self.job.size.height;
        let noise = Noise::new(self.seed, NoisePolicy::Fixed, elements);
        let session = Session::new(prepared.executable, noise).map_err(|e| e.to_string())?;
        Ok(Ready {
            session,
            scene: scene.to_vec(),
            next: 0,
            facts,
        })
    }

    /// What is known of each set, with its pictures' error against those of the first, which is
    /// `none`.
    pub(super) fn facts(&self, built: &mut [Built], scene: &[Frame]) -> Vec<Facts> {
        let shape = [1, 3, self.job.size.height, self.job.size.width];
        let mut reference: Option<[Vec<f32>; 2]> = None;
        built
            .iter_mut()
            .map(|b| {
                let Built::Ready(ready) = b else {
                    return Facts::default();
                };
                let mut facts = ready.facts.clone();
                match ready.loop_ends(scene) {
                    Ok(ends) => {
                        let reference = reference.get_or_insert_with(|| ends.clone());
                        let of =
                            |i: usize| FrameError::of(&ends[i], &reference[i], shape, 2.0).ok();
                        facts.error = of(0).map(|frame| Errors {
                            frame,
                            closed_loop: of(1),
                        });
                    }
                    Err(why) => *b = Built::Failed(why),
                }
                facts
            })
            .collect()
    }
}

//! Sets of passes as programs that run frames: what `bench`, `tune` and `doctor` measure.

use std::time::Duration;

use mirage_backend::{Backend, CompileOptions};
use mirage_bench::{
    frame_error::FrameError,
    ledger::{Build, Errors, Facts, Memory},
    measure::Subject,
};
use mirage_capture::Captured;
use mirage_ir::cost::graph_cost;
use mirage_model::Size;
use mirage_pass::{Manager, Plan};
use mirage_stream::{Noise, NoisePolicy, Session, Trajectory, main_dtype, prepare};
use mirage_video::Frame;

use crate::{error::Result, scene::scene};

/// What all sets share.
pub(crate) struct Bench<'a> {
    /// The frame's size in the model.
    pub(crate) size: Size,
    pub(crate) trajectory: &'a Trajectory,
    pub(crate) captured: &'a Captured,
    pub(crate) backend: &'a dyn Backend,
    pub(crate) options: CompileOptions,
    /// Of noise and scene.
    pub(crate) seed: u64,
    /// Frames of the closed loop.
    pub(crate) frames: usize,
}

/// A set's program, or why there is none.
pub(crate) enum Built {
    /// It runs.
    Ready(Box<Ready>),
    /// A pass or the backend failed, or a frame.
    Failed(String),
}

/// A program that runs frames of the scene over and over.
pub(crate) struct Ready {
    session: Session,
    scene: Vec<Frame>,
    next: usize,
    facts: Facts,
}

impl Built {
    /// Why it does not run.
    pub(crate) fn failure(&self) -> Option<&str> {
        match self {
            Built::Ready(_) => None,
            Built::Failed(why) => Some(why),
        }
    }
}

impl Built {
    /// Bytes of the weights that it holds.
    pub(crate) fn weight_bytes(&self) -> u64 {
        match self {
            Built::Ready(ready) => ready.facts.memory.weight_bytes.unwrap_or(0),
            Built::Failed(_) => 0,
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
    pub(crate) fn scene(&self) -> Result<Vec<Frame>> {
        let size = (self.size.width as u32, self.size.height as u32);
        scene(self.frames, size, self.seed)
    }

    /// Runs a set's passes and compiles. A set that cannot be planned has failed for that reason.
    pub(crate) fn build(&self, plan: std::result::Result<Plan, String>, scene: &[Frame]) -> Built {
        match plan.and_then(|plan| self.ready(&plan, scene)) {
            Ok(ready) => Built::Ready(Box::new(ready)),
            Err(why) => Built::Failed(why),
        }
    }

    fn ready(&self, plan: &Plan, scene: &[Frame]) -> std::result::Result<Ready, String> {
        let prepared = prepare(
            self.captured,
            plan,
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
        let elements = self.trajectory.draws() * 3 * self.size.width * self.size.height;
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
    pub(crate) fn facts(&self, built: &mut [Built], scene: &[Frame]) -> Vec<Facts> {
        let shape = [1, 3, self.size.height, self.size.width];
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

/// The first and the last picture of a closed loop, f32 in [-1, 1].
#[derive(Clone, Debug)]
pub(crate) struct Pictures([Vec<f32>; 2]);

impl Bench<'_> {
    /// Runs the closed loop over the scene, from the start of a stream.
    ///
    /// # Errors
    /// Why it does not run.
    pub(crate) fn pictures(
        &self,
        built: &mut Built,
        scene: &[Frame],
    ) -> std::result::Result<Pictures, String> {
        match built {
            Built::Ready(ready) => ready.loop_ends(scene).map(Pictures),
            Built::Failed(why) => Err(why.clone()),
        }
    }

    /// How far pictures are from those of the reference.
    ///
    /// # Errors
    /// Values that are not finite.
    pub(crate) fn errors(
        &self,
        pictures: &Pictures,
        reference: &Pictures,
    ) -> std::result::Result<Errors, String> {
        let shape = [1, 3, self.size.height, self.size.width];
        let of = |i: usize| {
            FrameError::of(&pictures.0[i], &reference.0[i], shape, 2.0).map_err(|e| e.to_string())
        };
        Ok(Errors {
            frame: of(0)?,
            closed_loop: Some(of(1)?),
        })
    }
}

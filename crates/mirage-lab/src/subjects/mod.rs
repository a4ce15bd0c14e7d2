//! Sets of passes as programs that run frames: what `bench`, `tune` and `doctor` measure.

mod layers;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use mirage_bench::{
    frame_error::FrameError,
    ledger::{Build, Errors, Facts, Memory},
    measure::Subject,
};
use mirage_capture::Captured;
use mirage_ir::{Graph, cost::graph_cost};
use mirage_pass::{Manager, Plan};
use mirage_stream::{Session, frame_bound, main_dtype};
use mirage_video::Frame;

use crate::{Job, Result, heap, scene::scene};

/// What all sets share.
pub struct Bench<'a> {
    /// The model, its frame and the backend; its passes are not looked at.
    pub job: &'a Job,
    /// The frame program before any pass.
    pub captured: &'a Captured,
    /// Frames of the closed loop.
    pub frames: usize,
}

/// A set's program, or why there is none.
pub enum Built {
    /// It runs.
    Ready(Box<Ready>),
    /// A pass or the backend failed, or a frame.
    Failed(String),
}

/// A program that runs frames of the scene over and over.
pub struct Ready {
    session: Session,
    graph: Graph,
    scene: Vec<Frame>,
    next: usize,
    /// Busy work after each frame, as a share of the frame's time.
    slow_down: f64,
    /// The time of the first execution, where one was made.
    first: Option<Duration>,
    facts: Facts,
}

impl Built {
    /// Why it does not run.
    pub fn failure(&self) -> Option<&str> {
        match self {
            Built::Ready(_) => None,
            Built::Failed(why) => Some(why),
        }
    }

    /// Makes every frame slower by this share of its own time.
    pub fn slow_down(&mut self, share: f64) {
        if let Built::Ready(ready) = self {
            ready.slow_down = share;
        }
    }

    /// The time of its first execution, where building it needed one: an upper bound for a later one.
    pub fn first_execution(&self) -> Option<Duration> {
        match self {
            Built::Ready(ready) => ready.first,
            Built::Failed(_) => None,
        }
    }

    /// Bytes of the weights that it holds.
    pub fn weight_bytes(&self) -> u64 {
        match self {
            Built::Ready(ready) => ready.facts.memory.weight_bytes.unwrap_or(0),
            Built::Failed(_) => 0,
        }
    }
}

/// Whether another program's weights fit into free memory beside these, if they are no larger than the
/// largest here; while it is compiled, its weights are there twice.
pub fn another_fits<'a>(built: impl Iterator<Item = &'a Built>) -> bool {
    let largest = built.map(Built::weight_bytes).max().unwrap_or(0);
    mirage_bench::machine::Memory::here().is_none_or(|memory| memory.available > 2 * largest)
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
        let mut frame = self.scene[self.next].clone();
        self.next = (self.next + 1) % self.scene.len();
        let time = self.session.run(&mut frame);
        let time = time.map_err(|e| e.to_string())?;
        match self.slow_down > 0.0 {
            true => Ok(time + busy(time.mul_f64(self.slow_down))),
            false => Ok(time),
        }
    }

    /// The first and the last picture of a closed loop, f32 in [-1, 1].
    fn loop_ends(&mut self, scene: &[Frame]) -> std::result::Result<[Vec<f32>; 2], String> {
        self.session.restart().map_err(|e| e.to_string())?;
        let mut ends: [Vec<f32>; 2] = Default::default();
        for (i, frame) in scene.iter().enumerate() {
            let run = self.session.run(&mut frame.clone());
            let picture = run.and_then(|_| self.session.previous());
            let picture = picture.map_err(|e| e.to_string())?;
            if i == 0 {
                ends[0].clone_from(&picture);
            }
            ends[1] = picture;
        }
        Ok(ends)
    }

    /// The most bytes that an execution takes: what is held for it and what it allocates on top, if the
    /// program's allocator counts. To be
    /// asked before anything has run: an engine that keeps memory for the next execution takes it in
    /// the first one.
    fn measured_peak(&mut self) -> std::result::Result<Option<u64>, String> {
        let held = self.session.executable().memory().held_bytes.unwrap_or(0);
        let frame = &self.scene[self.next];
        let (done, allocated) = heap::peak_of(|| self.session.time(frame));
        self.first = Some(done.map_err(|e| e.to_string())?);
        self.session.restart().map_err(|e| e.to_string())?;
        Ok(allocated.map(|allocated| held + allocated))
    }
}

/// Keeps a core busy for this long at least; how long it took.
fn busy(wanted: Duration) -> Duration {
    let start = Instant::now();
    let mut value = 1.0_f64;
    while start.elapsed() < wanted {
        for _ in 0..64 {
            value = black_box(value).mul_add(0.999_999, 1e-6);
        }
    }
    black_box(value);
    start.elapsed()
}

impl Bench<'_> {
    /// The frames of the closed loop, in the model's size.
    ///
    /// # Errors
    /// A size that frames cannot have.
    pub fn scene(&self) -> Result<Vec<Frame>> {
        let size = self.job.size;
        let size = (size.width as u32, size.height as u32);
        scene(self.frames, size, self.job.seed)
    }

    /// Runs a set's passes and compiles. A set that cannot be planned has failed for that reason.
    pub fn build(&self, plan: std::result::Result<Plan, String>, scene: &[Frame]) -> Built {
        match plan.and_then(|plan| self.ready(&plan, scene)) {
            Ok(ready) => Built::Ready(Box::new(ready)),
            Err(why) => Built::Failed(why),
        }
    }

    fn ready(&self, plan: &Plan, scene: &[Frame]) -> std::result::Result<Ready, String> {
        let prepared = self
            .job
            .prepare_with(self.captured, plan, &mut Manager::new())
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
                measured_peak_bytes: None,
                resident_bytes: None,
            },
            flops: Some(cost.flops),
            bytes: Some(cost.bytes),
            error: None,
            error_bound: frame_bound(plan, self.job.backend, self.job.sampler.steps),
            notes: prepared.executable.notes().to_vec(),
        };
        let session = self.job.session(prepared.executable);
        let session = session.map_err(|e| e.to_string())?;
        let mut ready = Ready {
            session,
            graph: prepared.graph,
            scene: scene.to_vec(),
            next: 0,
            slow_down: 0.0,
            first: None,
            facts,
        };
        ready.facts.memory.measured_peak_bytes = match self.job.backend.allocates_on_heap() {
            true => ready.measured_peak()?,
            false => memory.held_bytes,
        };
        Ok(ready)
    }

    /// The programs of some sets; of those whose weights do not fit, why not.
    pub fn build_all(
        &self,
        plans: impl IntoIterator<Item = std::result::Result<Plan, String>>,
        scene: &[Frame],
    ) -> Vec<Built> {
        let mut built = Vec::new();
        for plan in plans {
            let next = match another_fits(built.iter()) {
                true => self.build(plan, scene),
                false => Built::Failed(
                    "its weights do not fit into free memory beside those of the sets before it: \
                     measure fewer sets at once"
                        .to_owned(),
                ),
            };
            built.push(next);
        }
        built
    }

    /// What is known of each set without running it.
    pub fn plain_facts(&self, built: &[Built]) -> Vec<Facts> {
        let facts = |b: &Built| match b {
            Built::Ready(ready) => ready.facts.clone(),
            Built::Failed(_) => Facts::default(),
        };
        built.iter().map(facts).collect()
    }

    /// What is known of each set, with what an execution takes of memory and its pictures' error against
    /// those of the first, which is `none`.
    pub fn facts(&self, built: &mut [Built], scene: &[Frame]) -> Vec<Facts> {
        let mut reference: Option<Pictures> = None;
        let mut all = Vec::with_capacity(built.len());
        for (i, b) in built.iter_mut().enumerate() {
            let mut facts = match b {
                Built::Ready(ready) => ready.facts.clone(),
                Built::Failed(_) => Facts::default(),
            };
            let pictures = self.pictures(b, scene);
            let pictures = match i {
                0 => pictures.inspect(|p| reference = Some(p.clone())),
                _ => pictures,
            };
            // Where `none` does not run there is nothing to compare with.
            let error = pictures.and_then(|p| match &reference {
                Some(reference) => self.errors(&p, reference).map(Some),
                None => Ok(None),
            });
            match error {
                Ok(error) => facts.error = error,
                Err(why) => *b = Built::Failed(why),
            }
            all.push(facts);
        }
        all
    }
}

/// The first and the last picture of a closed loop, f32 in [-1, 1].
#[derive(Clone, Debug)]
pub struct Pictures([Vec<f32>; 2]);

impl Bench<'_> {
    /// Runs the closed loop over the scene, from the start of a stream.
    ///
    /// # Errors
    /// Why it does not run.
    pub fn pictures(
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
    pub fn errors(
        &self,
        pictures: &Pictures,
        reference: &Pictures,
    ) -> std::result::Result<Errors, String> {
        let shape = self.job.shape();
        let of = |i: usize| {
            FrameError::of(&pictures.0[i], &reference.0[i], shape, 2.0).map_err(|e| e.to_string())
        };
        Ok(Errors {
            frame: of(0)?,
            closed_loop: Some(of(1)?),
        })
    }
}

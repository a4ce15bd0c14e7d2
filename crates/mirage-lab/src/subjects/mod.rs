//! Sets of passes compiled to programs that run frames, for `bench`, `tune` and `doctor`.

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

/// Compiles and runs sets of passes for one job.
pub struct Bench<'a> {
    /// The model, its frame and the backend; the job's passes are ignored.
    pub job: &'a Job,
    /// The frame program before any pass.
    pub captured: &'a Captured,
    /// Frames of the closed loop.
    pub frames: usize,
}

/// The program of a set, or why there is none.
pub enum BuiltSet {
    /// A program that runs.
    Runnable(Box<RunnableSet>),
    /// A pass, the backend or a frame failed, with the message.
    Failed(String),
}

/// A program that runs the frames of the scene repeatedly.
pub struct RunnableSet {
    session: Session,
    graph: Graph,
    scene: Vec<Frame>,
    next: usize,
    /// Busy work after each frame, as a fraction of the frame's time.
    slow_down: f64,
    /// The time of the first execution, where one was made.
    first: Option<Duration>,
    facts: Facts,
}

impl BuiltSet {
    /// Returns why the set does not run.
    pub fn failure(&self) -> Option<&str> {
        match self {
            BuiltSet::Runnable(_) => None,
            BuiltSet::Failed(why) => Some(why),
        }
    }

    /// Slows down every frame by this fraction of its time.
    pub fn slow_down(&mut self, share: f64) {
        if let BuiltSet::Runnable(ready) = self {
            ready.slow_down = share;
        }
    }

    /// The time of its first execution, where building it needed one: an upper bound for a later one.
    pub fn first_execution(&self) -> Option<Duration> {
        match self {
            BuiltSet::Runnable(ready) => ready.first,
            BuiltSet::Failed(_) => None,
        }
    }

    /// Returns the size of its weights in bytes.
    pub fn weight_bytes(&self) -> u64 {
        match self {
            BuiltSet::Runnable(ready) => ready.facts.memory.weight_bytes.unwrap_or(0),
            BuiltSet::Failed(_) => 0,
        }
    }
}

/// Whether another program's weights fit into free memory beside these, if they are no larger than the
/// largest here; while it is compiled, its weights are there twice.
pub fn another_fits<'a>(built: impl Iterator<Item = &'a BuiltSet>) -> bool {
    let largest = built.map(BuiltSet::weight_bytes).max().unwrap_or(0);
    mirage_bench::machine::Memory::here().is_none_or(|memory| memory.available > 2 * largest)
}

impl Subject for BuiltSet {
    fn run(&mut self) -> std::result::Result<Duration, String> {
        let result = match self {
            BuiltSet::Runnable(ready) => ready.run(),
            BuiltSet::Failed(why) => return Err(why.clone()),
        };
        if let Err(why) = &result {
            *self = BuiltSet::Failed(why.clone());
        }
        result
    }
}

impl RunnableSet {
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

    /// Returns the first and the last picture of a closed loop, f32 in [-1, 1].
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

    /// Returns the peak memory of an execution in bytes: what is held for it and what it allocates, if the
    /// program's allocator counts. Must be called before the first execution, in which engines allocate the
    /// memory that they keep.
    fn measured_peak(&mut self) -> std::result::Result<Option<u64>, String> {
        let held = self.session.executable().memory().held_bytes.unwrap_or(0);
        let frame = &self.scene[self.next];
        let (done, allocated) = heap::peak_of(|| self.session.time(frame));
        self.first = Some(done.map_err(|e| e.to_string())?);
        self.session.restart().map_err(|e| e.to_string())?;
        Ok(allocated.map(|allocated| held + allocated))
    }
}

/// Keeps a core busy for at least this long, and returns the time it took.
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
    /// Returns the frames of the closed loop, in the model's size.
    ///
    /// # Errors
    /// If the size is invalid.
    pub fn scene(&self) -> Result<Vec<Frame>> {
        let size = self.job.size;
        let size = (size.width as u32, size.height as u32);
        scene(self.frames, size, self.job.seed)
    }

    /// Runs the passes of a set and compiles it. A plan that is an error becomes a failed set.
    pub fn build(&self, plan: std::result::Result<Plan, String>, scene: &[Frame]) -> BuiltSet {
        match plan.and_then(|plan| self.ready(&plan, scene)) {
            Ok(ready) => BuiltSet::Runnable(Box::new(ready)),
            Err(why) => BuiltSet::Failed(why),
        }
    }

    fn ready(&self, plan: &Plan, scene: &[Frame]) -> std::result::Result<RunnableSet, String> {
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
        let mut ready = RunnableSet {
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

    /// Compiles several sets. Sets whose weights do not fit into free memory are failed sets.
    pub fn build_all(
        &self,
        plans: impl IntoIterator<Item = std::result::Result<Plan, String>>,
        scene: &[Frame],
    ) -> Vec<BuiltSet> {
        let mut built = Vec::new();
        for plan in plans {
            let next = match another_fits(built.iter()) {
                true => self.build(plan, scene),
                false => BuiltSet::Failed(
                    "its weights do not fit into free memory beside those of the sets before it: \
                     measure fewer sets at once"
                        .to_owned(),
                ),
            };
            built.push(next);
        }
        built
    }

    /// Returns the facts of each set that are known without running it.
    pub fn plain_facts(&self, built: &[BuiltSet]) -> Vec<Facts> {
        let facts = |b: &BuiltSet| match b {
            BuiltSet::Runnable(ready) => ready.facts.clone(),
            BuiltSet::Failed(_) => Facts::default(),
        };
        built.iter().map(facts).collect()
    }

    /// Returns the facts of each set, including the error of its pictures against the first set, `none`.
    pub fn facts(&self, built: &mut [BuiltSet], scene: &[Frame]) -> Vec<Facts> {
        let mut reference: Option<Pictures> = None;
        let mut all = Vec::with_capacity(built.len());
        for (i, b) in built.iter_mut().enumerate() {
            let mut facts = match b {
                BuiltSet::Runnable(ready) => ready.facts.clone(),
                BuiltSet::Failed(_) => Facts::default(),
            };
            let pictures = self.pictures(b, scene);
            let pictures = match i {
                0 => pictures.inspect(|p| reference = Some(p.clone())),
                _ => pictures,
            };
            // If `none` does not run, there is no reference.
            let error = pictures.and_then(|p| match &reference {
                Some(reference) => self.errors(&p, reference).map(Some),
                None => Ok(None),
            });
            match error {
                Ok(error) => facts.error = error,
                Err(why) => *b = BuiltSet::Failed(why),
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
    /// If the set does not run.
    pub fn pictures(
        &self,
        built: &mut BuiltSet,
        scene: &[Frame],
    ) -> std::result::Result<Pictures, String> {
        match built {
            BuiltSet::Runnable(ready) => ready.loop_ends(scene).map(Pictures),
            BuiltSet::Failed(why) => Err(why.clone()),
        }
    }

    /// Returns the error of pictures against those of the reference.
    ///
    /// # Errors
    /// If a value is not finite.
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

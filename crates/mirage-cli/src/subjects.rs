//! Sets of passes as programs that run frames: what `bench`, `tune` and `doctor` measure.

use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

use mirage_backend::{Backend, CompileOptions, NodeClock};
use mirage_bench::{
    frame_error::FrameError,
    ledger::{Build, Errors, Facts, Layer, LayerTimes, Memory, Model},
    measure::Subject,
    stats::median,
};
use mirage_capture::Captured;
use mirage_ir::{
    Graph, NodeId,
    cost::{graph_cost, node_cost},
};
use mirage_model::{ModelConfig, Size};
use mirage_pass::{Manager, Plan};
use mirage_stream::{NoisePolicy, Session, main_dtype, prepare, profile};
use mirage_video::Frame;

use crate::{error::Result, heap, scene::scene};

/// Parts of a module path that make a layer of a ledger.
const LAYER_DEPTH: usize = 2;
/// Frames before those that a profile's medians are of.
const PROFILE_WARM_UP: usize = 2;
/// The most frames behind a profile's medians; half of them are profiled.
const PROFILE_FRAMES: usize = 20;
/// The time that a profile shall take, ms; it takes 4 frames at least.
const PROFILE_MS: f64 = 3000.0;

/// What all sets share.
pub(crate) struct Bench<'a> {
    /// The frame's size in the model.
    pub(crate) size: Size,
    pub(crate) captured: &'a Captured,
    pub(crate) backend: &'a dyn Backend,
    pub(crate) options: CompileOptions,
    /// Of noise and scene.
    pub(crate) seed: u64,
    /// Frames of the closed loop.
    pub(crate) frames: usize,
}

/// A model as ledgers and reports name it.
pub(crate) fn model_id(config: &ModelConfig, parameters: usize, trained: bool) -> Model {
    Model {
        name: config.name.clone(),
        parameters,
        trained,
        configuration: serde_json::to_string(&config.network).ok(),
    }
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
    graph: Graph,
    scene: Vec<Frame>,
    next: usize,
    /// Busy work after each frame, as a share of the frame's time.
    slow_down: f64,
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

    /// Makes every frame slower by this share of its own time.
    pub(crate) fn slow_down(&mut self, share: f64) {
        if let Built::Ready(ready) = self {
            ready.slow_down = share;
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

/// Whether another program's weights fit into free memory beside these, if they are no larger than the
/// largest here; while it is compiled, its weights are there twice.
pub(crate) fn another_fits<'a>(built: impl Iterator<Item = &'a Built>) -> bool {
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

    /// The most bytes that an execution takes: what is held for it and what it allocates on top. To be
    /// asked before anything has run: an engine that keeps memory for the next execution takes it in
    /// the first one.
    fn measured_peak(&mut self) -> std::result::Result<u64, String> {
        let held = self.session.executable().memory().held_bytes.unwrap_or(0);
        let frame = &self.scene[self.next];
        let (done, allocated) = heap::peak_of(|| self.session.time(frame));
        done.map_err(|e| e.to_string())?;
        self.session.restart().map_err(|e| e.to_string())?;
        Ok(held + allocated)
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
                measured_peak_bytes: None,
                resident_bytes: None,
            },
            flops: Some(cost.flops),
            bytes: Some(cost.bytes),
            error: None,
            notes: prepared.executable.notes().to_vec(),
        };
        let session = Session::new(prepared.executable, self.seed, NoisePolicy::Fixed)
            .map_err(|e| e.to_string())?;
        let mut ready = Ready {
            session,
            graph: prepared.graph,
            scene: scene.to_vec(),
            next: 0,
            slow_down: 0.0,
            facts,
        };
        ready.facts.memory.measured_peak_bytes = match self.backend.allocates_on_heap() {
            true => Some(ready.measured_peak()?),
            false => memory.held_bytes,
        };
        Ok(ready)
    }

    /// The programs of some sets; of those whose weights do not fit, why not.
    pub(crate) fn build_all(
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
    pub(crate) fn plain_facts(&self, built: &[Built]) -> Vec<Facts> {
        let facts = |b: &Built| match b {
            Built::Ready(ready) => ready.facts.clone(),
            Built::Failed(_) => Facts::default(),
        };
        built.iter().map(facts).collect()
    }

    /// What is known of each set, with what an execution takes of memory and its pictures' error against
    /// those of the first, which is `none`.
    pub(crate) fn facts(&self, built: &mut [Built], scene: &[Frame]) -> Vec<Facts> {
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

    /// Where a set's time goes, layer by layer. `frame_ms` is what a frame takes, as measured.
    pub(crate) fn layers(&self, built: &mut Built, row: &str, frame_ms: f64) -> Option<LayerTimes> {
        let Built::Ready(ready) = built else {
            return None;
        };
        let frames = (PROFILE_MS / frame_ms).clamp(4.0, PROFILE_FRAMES as f64) as usize;
        let scene: Vec<Frame> = ready
            .scene
            .iter()
            .cycle()
            .take(PROFILE_WARM_UP + frames)
            .cloned()
            .collect();
        // A profile is an extra: a ledger without one is whole.
        let found = profile(&mut ready.session, &scene, PROFILE_WARM_UP, |_| true);
        let found = found.ok()??;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let whole: Vec<f64> = found.profiled.iter().map(|e| ms(e.time)).collect();
        let plain: Vec<f64> = found.plain.iter().copied().map(ms).collect();
        let mut times: BTreeMap<NodeId, Vec<f64>> = BTreeMap::new();
        for node in found.profiled.iter().flat_map(|e| &e.nodes) {
            times.entry(node.node).or_default().push(ms(node.time));
        }
        let mut layers: Vec<Layer> = Vec::new();
        for (id, times) in times {
            let node = ready.graph.node(id);
            let parts: Vec<&str> = node.path.split('.').take(LAYER_DEPTH).collect();
            let name = match parts.join(".") {
                name if name.is_empty() => "(no layer)".to_owned(),
                name => name,
            };
            let cost = node_cost(&ready.graph, node);
            let place = layers.iter().position(|l| l.name == name);
            let place = place.unwrap_or_else(|| {
                layers.push(Layer {
                    name,
                    nodes: 0,
                    ms: 0.0,
                    flops: 0,
                    bytes: 0,
                });
                layers.len() - 1
            });
            let layer = &mut layers[place];
            layer.nodes += 1;
            layer.ms += median(&times)?;
            layer.flops += cost.flops;
            layer.bytes += cost.bytes();
        }
        layers.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        let plain_ms = median(&plain)?;
        let profiled_ms = match found.clock {
            NodeClock::Host => median(&whole)?,
            // What the device does is part of a plain execution; a profiled one waits for it node by node.
            NodeClock::Device => plain_ms,
        };
        let covered: f64 = layers.iter().map(|l| l.ms).sum();
        Some(LayerTimes {
            row: row.to_owned(),
            frames: plain.len() + whole.len(),
            plain_ms,
            profiled_ms,
            uncovered_ms: (profiled_ms - covered).max(0.0),
            layers,
        })
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

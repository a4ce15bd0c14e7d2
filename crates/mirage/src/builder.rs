//! The builder of streams.

use std::{num::NonZeroUsize, path::PathBuf};

use mirage_backend::{Backend, backends, find};
use mirage_model::{ModelConfig, Size, StreamModel};
use mirage_pass::{PipelineSpec, Plan, Registry, plan};
use mirage_stream::{NoisePolicy, SamplerConfig, Trajectory};

use crate::{
    Error, Event, Job, ModelFacts, Stream, event::Listener, own::OwnModel, stream::Target,
};

/// The entry point: [`Pipeline::builder`].
#[derive(Clone, Copy, Debug)]
pub struct Pipeline;

impl Pipeline {
    /// Returns a builder with default settings: the model `lsd-tiny` at its own size with seeded
    /// weights, the default sampler, no passes, device 0 of the backend `cpu`, 2 frames of warm-up.
    pub fn builder<'a>() -> PipelineBuilder<'a> {
        PipelineBuilder {
            source: Source::Named {
                name: "lsd-tiny".to_owned(),
                overrides: Vec::new(),
                weights: None,
            },
            size: None,
            sampler: SamplerConfig::default(),
            noise: NoisePolicy::Fixed,
            seed: 0,
            passes: Passes::Text(String::new()),
            backend: "cpu".to_owned(),
            device: 0,
            threads: None,
            warmup: 2,
            on_event: None,
        }
    }
}

/// The settings of a stream. [`PipelineBuilder::build`] checks them.
pub struct PipelineBuilder<'a> {
    source: Source,
    size: Option<Size>,
    sampler: SamplerConfig,
    noise: NoisePolicy,
    seed: u64,
    passes: Passes,
    backend: String,
    device: usize,
    threads: Option<NonZeroUsize>,
    warmup: usize,
    on_event: Option<Box<Listener<'a>>>,
}

enum Source {
    Named {
        name: String,
        overrides: Vec<String>,
        weights: Option<PathBuf>,
    },
    Own(Box<dyn OwnModel>),
}

enum Passes {
    Text(String),
    Spec(PipelineSpec),
}

impl<'a> PipelineBuilder<'a> {
    /// Sets a built-in model (such as `lsd-light`) or a configuration file.
    #[must_use]
    pub fn model(mut self, name_or_file: impl Into<String>) -> Self {
        self.source = Source::Named {
            name: name_or_file.into(),
            overrides: Vec::new(),
            weights: None,
        };
        self
    }

    /// Overrides a value of the model's configuration, such as `network.channels=24`. Call it after
    /// [`Self::model`]; it has no effect on a model of your own.
    #[must_use]
    pub fn set(mut self, key_value: impl Into<String>) -> Self {
        if let Source::Named { overrides, .. } = &mut self.source {
            overrides.push(key_value.into());
        }
        self
    }

    /// Sets a safetensors file of trained weights. By default weights are seeded random numbers. Call it
    /// after [`Self::model`]; it has no effect on a model of your own.
    #[must_use]
    pub fn weights(mut self, file: impl Into<PathBuf>) -> Self {
        if let Source::Named { weights, .. } = &mut self.source {
            *weights = Some(file.into());
        }
        self
    }

    /// Sets a burn module of your own instead of a named model. Requires [`Self::size`].
    ///
    /// ```
    /// use burn::{module::Module, tensor::{Device, activation::silu}};
    /// use burn::nn::conv::{Conv2d, Conv2dConfig};
    /// use mirage::{Frame, Pipeline, StepInput, StepOutput, StreamModel};
    ///
    /// #[derive(Module, Debug)]
    /// struct Pixelwise {
    ///     mix: Conv2d,
    /// }
    ///
    /// impl StreamModel for Pixelwise {
    ///     fn denoise(&self, step: StepInput) -> StepOutput {
    ///         StepOutput::new(silu(self.mix.forward(step.frame)))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), mirage::Error> {
    /// let model = Pixelwise { mix: Conv2dConfig::new([3, 3], [1, 1]).init(&Device::flex()) };
    /// let mut stream = Pipeline::builder().own_model(model).size(16, 16).build()?;
    /// let output = stream.push(&Frame::new(16, 16, 0)?)?;
    /// assert_eq!(output.width(), 16);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn own_model(mut self, model: impl StreamModel + 'static) -> Self {
        self.source = Source::Own(Box::new(model));
        self
    }

    /// Sets the size at which the model runs, in pixels, or elements of a latent's plane. The default is that
    /// of a named model. Frames of other sizes are resized to it and back.
    #[must_use]
    pub fn size(mut self, width: usize, height: usize) -> Self {
        self.size = Some(Size { width, height });
        self
    }

    /// Sets the number of denoising steps for each frame, 1 to 50.
    #[must_use]
    pub fn steps(mut self, steps: usize) -> Self {
        self.sampler.steps = steps;
        self
    }

    /// Sets all options of the sampler.
    #[must_use]
    pub fn sampler(mut self, sampler: SamplerConfig) -> Self {
        self.sampler = sampler;
        self
    }

    /// Sets whether every frame has the same noise, which is the default, or new noise.
    #[must_use]
    pub fn noise(mut self, noise: NoisePolicy) -> Self {
        self.noise = noise;
        self
    }

    /// Sets the seed of noise and of weights that are not loaded.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets passes with their options, such as `fp16{keep=norm},sdpa`. They run in a legal order.
    #[must_use]
    pub fn passes(mut self, passes: impl Into<String>) -> Self {
        self.passes = Passes::Text(passes.into());
        self
    }

    /// Like [`Self::passes`], already parsed.
    #[must_use]
    pub fn pipeline(mut self, spec: PipelineSpec) -> Self {
        self.passes = Passes::Spec(spec);
        self
    }

    /// Sets the backend by its name: see [`backends`].
    #[must_use]
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = name.into();
        self
    }

    /// Sets the index of the backend's device.
    #[must_use]
    pub fn device(mut self, device: usize) -> Self {
        self.device = device;
        self
    }

    /// Sets the number of threads of the CPU backend, for the whole process. The default is the number of
    /// processors. Must be set before the first stream of a process.
    #[must_use]
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Sets the number of warm-up frames that run before the stream begins, so that the first frame does not
    /// take longer. A model with conditioning inputs has no warm-up, because it cannot run before they are set.
    #[must_use]
    pub fn warmup(mut self, frames: usize) -> Self {
        self.warmup = frames;
        self
    }

    /// Sets a function that is called with every event until the stream begins.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(Event<'_>) + 'a) -> Self {
        self.on_event = Some(Box::new(listener));
        self
    }

    /// Captures the model, runs the passes, compiles, and warms up.
    ///
    /// # Errors
    /// If a setting is invalid, the model cannot be captured, a pass fails, or the backend fails to compile or
    /// run.
    pub fn build(mut self) -> Result<Stream, Error> {
        if let Some(threads) = self.threads {
            use_threads(threads)?;
        }
        let mut listener = self.on_event.take().unwrap_or_else(|| Box::new(|_| {}));
        let (asked, plan) = self.plan()?;
        let backend = backend(&self.backend, self.device)?;
        match self.source {
            Source::Named {
                name,
                overrides,
                weights,
            } => {
                let config = ModelConfig::load(&name)?.with_overrides(&overrides)?;
                let size = self.size.unwrap_or(config.size);
                config.validate_size(size)?;
                let job = Job {
                    trajectory: Trajectory::plan(&config.schedule, &self.sampler)?,
                    config,
                    weights,
                    seed: self.seed,
                    size,
                    sampler: self.sampler,
                    noise: self.noise,
                    asked,
                    plan,
                    backend,
                    device: self.device,
                };
                let mut stream = Stream::start(&job, mirage_pass::Manager::new(), &mut *listener)?;
                stream.warm_up(self.warmup, &mut *listener)?;
                Ok(stream)
            }
            Source::Own(model) => {
                let size = self.size.ok_or_else(|| Error::Setting {
                    setting: "size",
                    reason: "a model of your own has no default size: call .size(width, height)"
                        .to_owned(),
                })?;
                let trajectory = Trajectory::plan(&model.schedule(), &self.sampler)?;
                let captured = model.capture(size, &trajectory)?;
                let facts = ModelFacts {
                    parameters: model.parameters(),
                    trained: true,
                };
                let target = Target {
                    model: model.name(),
                    plan: &plan,
                    backend,
                    device: self.device,
                    seed: self.seed,
                    noise: self.noise,
                };
                let manager = mirage_pass::Manager::new();
                let mut stream =
                    Stream::compile(captured, facts, &target, manager, &mut *listener)?;
                if !model.is_conditioned() {
                    stream.warm_up(self.warmup, &mut *listener)?;
                }
                Ok(stream)
            }
        }
    }

    fn plan(&self) -> Result<(PipelineSpec, Plan), Error> {
        mirage_passes::link();
        let registry = Registry::linked()?;
        let asked = match &self.passes {
            Passes::Text(text) => text.parse()?,
            Passes::Spec(spec) => spec.clone(),
        };
        let plan = plan(&registry, &asked)?;
        Ok((asked, plan))
    }
}

/// Returns the backend of this name, if it has the device.
fn backend(name: &str, device: usize) -> Result<&'static dyn Backend, Error> {
    let backend = find(name).ok_or_else(|| Error::UnknownBackend {
        name: name.to_owned(),
        known: backends()
            .iter()
            .map(|b| b.info().name.to_owned())
            .collect(),
    })?;
    let available: Vec<usize> = backend.devices()?.iter().map(|d| d.index).collect();
    match available.contains(&device) {
        true => Ok(backend),
        false => Err(Error::NoDevice {
            backend: name.to_owned(),
            device,
            available,
        }),
    }
}

/// Sets the number of threads of the process's pool.
fn use_threads(threads: NonZeroUsize) -> Result<(), Error> {
    let built = rayon::ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .build_global();
    // An existing pool is accepted if it has this number of threads.
    match built.is_ok() || rayon::current_num_threads() == threads.get() {
        true => Ok(()),
        false => Err(Error::Setting {
            setting: "threads",
            reason: format!(
                "this process computes with {} threads already: set it before the first stream",
                rayon::current_num_threads()
            ),
        }),
    }
}

//! What is run: a model, its frame, the passes, the backend's device.

use std::path::PathBuf;

use burn::tensor::Device;
use mirage_backend::{Backend, CompileOptions, Executable};
use mirage_capture::Captured;
use mirage_ir::target::Capabilities;
use mirage_model::{AnyModel, ModelConfig, Size, WeightLayout, build, outline, parameter_count};
use mirage_pass::{Manager, PipelineSpec, Plan};
use mirage_stream::{
    NoisePolicy, Prepared, SamplerConfig, Session, Trajectory, capture_frame, prepare,
};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A resolved request: every part is checked against the others by who made it.
#[derive(Clone)]
pub struct Job {
    /// The model.
    pub config: ModelConfig,
    /// A file of trained weights.
    pub weights: Option<PathBuf>,
    /// Of untrained weights, of noise and of the scene.
    pub seed: u64,
    /// The frame's size in the model.
    pub size: Size,
    /// The sampler, and
    pub sampler: SamplerConfig,
    /// the steps that it takes with the model's schedule.
    pub trajectory: Trajectory,
    /// Whether every frame has the same noise.
    pub noise: NoisePolicy,
    /// The passes as they were asked for, and
    pub asked: PipelineSpec,
    /// as they run.
    pub plan: Plan,
    /// What compiles the program.
    pub backend: &'static dyn Backend,
    /// The number of its device.
    pub device: usize,
}

/// What is known of a model that was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The number of its parameters.
    pub parameters: usize,
    /// Whether its weights came from a file.
    pub trained: bool,
}

impl ModelFacts {
    /// Of a model.
    pub fn of(model: &AnyModel) -> Self {
        ModelFacts {
            parameters: parameter_count(model),
            trained: model.is_trained(),
        }
    }
}

impl Job {
    /// How to compile.
    pub fn options(&self) -> CompileOptions {
        CompileOptions {
            device: self.device,
        }
    }

    /// What the device can do.
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities(self.device)
    }

    /// The network with its weights.
    ///
    /// # Errors
    /// A configuration that makes no network; weights that cannot be read or do not fit.
    pub fn model(&self) -> Result<AnyModel, Error> {
        let mut model = build(&self.config, &Device::flex(), self.seed)?;
        if let Some(path) = &self.weights {
            let layout = WeightLayout::detect(path)?;
            model.load_weights(path, layout)?;
        }
        Ok(model)
    }

    /// The network for what does not depend on its weights, which are zeros that take no memory.
    ///
    /// # Errors
    /// A configuration that makes no network.
    pub fn outline(&self) -> Result<AnyModel, Error> {
        Ok(outline(&self.config, &Device::flex())?)
    }

    /// The frame program, before any pass.
    ///
    /// # Errors
    /// As [`Job::model`]; a model that cannot be captured at this size.
    pub fn capture(&self) -> Result<(Captured, ModelFacts), Error> {
        let model = self.model()?;
        Ok((self.capture_from(&model)?, ModelFacts::of(&model)))
    }

    /// As [`Job::capture`], of a network that is there already.
    ///
    /// # Errors
    /// A model that cannot be captured at this size.
    pub fn capture_from(&self, model: &AnyModel) -> Result<Captured, Error> {
        Ok(capture_frame(model, self.size, &self.trajectory)?)
    }

    /// Runs the passes and compiles.
    ///
    /// # Errors
    /// A pass that fails; what the backend says.
    pub fn prepare(
        &self,
        captured: &Captured,
        manager: &mut Manager<'_>,
    ) -> Result<Prepared, Error> {
        self.prepare_with(captured, &self.plan, manager)
    }

    /// As [`Job::prepare`], with other passes.
    ///
    /// # Errors
    /// As [`Job::prepare`].
    pub fn prepare_with(
        &self,
        captured: &Captured,
        plan: &Plan,
        manager: &mut Manager<'_>,
    ) -> Result<Prepared, Error> {
        Ok(prepare(
            captured,
            plan,
            manager,
            self.backend,
            &self.options(),
        )?)
    }

    /// A stream at its start.
    ///
    /// # Errors
    /// A program that is none of a frame.
    pub fn session(&self, executable: Box<dyn Executable>) -> Result<Session, Error> {
        Ok(Session::new(executable, self.seed, self.noise)?)
    }

    /// The shape of a frame in the model.
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.size.height, self.size.width]
    }
}

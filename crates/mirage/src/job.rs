//! Jobs: a model, its frame size, the passes, the backend and its device.

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

/// A resolved request. Its creator has checked the parts against each other.
#[derive(Clone)]
pub struct Job {
    /// The model.
    pub config: ModelConfig,
    /// A file of trained weights.
    pub weights: Option<PathBuf>,
    /// The seed of untrained weights, of noise and of the scene.
    pub seed: u64,
    /// The size of frames in the model.
    pub size: Size,
    /// The sampler's options.
    pub sampler: SamplerConfig,
    /// The sampler's steps with the model's schedule.
    pub trajectory: Trajectory,
    /// Whether every frame has the same noise.
    pub noise: NoisePolicy,
    /// The requested passes.
    pub asked: PipelineSpec,
    /// The planned passes.
    pub plan: Plan,
    /// The backend.
    pub backend: &'static dyn Backend,
    /// The index of its device.
    pub device: usize,
}

/// Facts about a built model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The number of its parameters.
    pub parameters: usize,
    /// Whether its weights came from a file.
    pub trained: bool,
}

impl ModelFacts {
    /// Returns the facts of a model.
    pub fn of(model: &AnyModel) -> Self {
        ModelFacts {
            parameters: parameter_count(model),
            trained: model.is_trained(),
        }
    }
}

impl Job {
    /// Returns the options of compilation.
    pub fn options(&self) -> CompileOptions {
        CompileOptions {
            device: self.device,
        }
    }

    /// Returns the capabilities of the device.
    pub fn capabilities(&self) -> Capabilities {
        self.backend.capabilities(self.device)
    }

    /// Builds the network with its weights.
    ///
    /// # Errors
    /// If the configuration is invalid, or the weights cannot be read or do not fit.
    pub fn model(&self) -> Result<AnyModel, Error> {
        let mut model = build(&self.config, &Device::flex(), self.seed)?;
        if let Some(path) = &self.weights {
            let layout = WeightLayout::detect(path)?;
            model.load_weights(path, layout)?;
        }
        Ok(model)
    }

    /// Builds the network with weights of zeros, which take no memory.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn outline(&self) -> Result<AnyModel, Error> {
        Ok(outline(&self.config, &Device::flex())?)
    }

    /// Captures the frame program, without passes.
    ///
    /// # Errors
    /// See [`Job::model`]; also if the model cannot be captured at this size.
    pub fn capture(&self) -> Result<(Captured, ModelFacts), Error> {
        let model = self.model()?;
        Ok((self.capture_from(&model)?, ModelFacts::of(&model)))
    }

    /// Like [`Job::capture`], for a network that is already built.
    ///
    /// # Errors
    /// If the model cannot be captured at this size.
    pub fn capture_from(&self, model: &AnyModel) -> Result<Captured, Error> {
        Ok(capture_frame(model, self.size, &self.trajectory)?)
    }

    /// Runs the passes and compiles.
    ///
    /// # Errors
    /// If a pass or the backend fails.
    pub fn prepare(
        &self,
        captured: &Captured,
        manager: &mut Manager<'_>,
    ) -> Result<Prepared, Error> {
        self.prepare_with(captured, &self.plan, manager)
    }

    /// Like [`Job::prepare`], with other passes.
    ///
    /// # Errors
    /// See [`Job::prepare`].
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

    /// Returns a session at the start of a stream.
    ///
    /// # Errors
    /// If the program is not a frame program.
    pub fn session(&self, executable: Box<dyn Executable>) -> Result<Session, Error> {
        Ok(Session::new(executable, self.seed, self.noise)?)
    }

    /// Returns the shape of a frame in the model.
    pub fn shape(&self) -> [usize; 4] {
        [1, 3, self.size.height, self.size.width]
    }
}

//! Networks of any kind behind one type.

use burn::{
    module::{Devices, Module, ModuleMapper, ModuleVisitor},
    tensor::{Device, Tensor},
};

use crate::{
    LiveStreamUNet, ModelConfig, ModelError, NamedTensors, Schedule, Size, StepInput, StepOutput,
    StreamModel, StressNetwork, TensorSpec,
    config::NetworkConfig,
    forward::NamedForward,
    lazy::{SharedData, keep, with_kept, zeroed},
    parameters::parameter_count,
    seed::seeded,
};

/// A network of any kind with the configuration that it was built from.
///
/// As a burn [`Module`] it is the network itself: parameter paths have no part for the kind. Unless [`Module::map`] has
/// changed its weights, [`Module::valid`] returns a network that initializes or shares them itself, so that the weights of
/// a captured model are in memory once.
#[derive(Debug, Clone)]
pub struct AnyModel {
    config: ModelConfig,
    network: Network,
    weights: Weights,
    trained: bool,
    /// See [`AnyModel::weight_notes`].
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a program holds one or two")]
enum Network {
    LiveStreamUnet(LiveStreamUNet),
    Stress(StressNetwork),
}

/// The source of a network's weights.
#[derive(Debug, Clone)]
enum Weights {
    Seeded(u64),
    Zero,
    Loaded(SharedData),
    /// Known to the network alone.
    Own,
}

/// Runs the same expression on the network of any kind.
macro_rules! each {
    ($network:expr, $inner:ident => $body:expr) => {
        match $network {
            Network::LiveStreamUnet($inner) => $body,
            Network::Stress($inner) => $body,
        }
    };
}

/// Replaces the network of the model by the value of an expression.
macro_rules! map_network {
    ($model:expr, $inner:ident => $body:expr) => {{
        let network = match $model.network {
            Network::LiveStreamUnet($inner) => Network::LiveStreamUnet($body),
            Network::Stress($inner) => Network::Stress($body),
        };
        AnyModel { network, ..$model }
    }};
}

/// Builds the network of `config` on `device` with untrained weights of `seed`. The same seed gives the same weights on
/// every machine; they are chosen so that the output is a visible transformation of the frame. Weights are computed when
/// they are first used; building, counting parameters and loading weights from a file compute none.
///
/// # Errors
/// If the configuration is invalid.
pub fn build(config: &ModelConfig, device: &Device, seed: u64) -> Result<AnyModel, ModelError> {
    config.validate()?;
    let model = AnyModel::make(config, device, Weights::Seeded(seed));
    tracing::debug!(
        model = config.name,
        parameters = parameter_count(&model),
        seed,
        "built model"
    );
    Ok(model)
}

/// Builds the network of `config` on `device` with all parameters zero, for its shapes, parameters and graph. On the CPU it
/// takes almost no memory, because the system allocates pages of zeros only when they are written.
///
/// # Errors
/// If the configuration is invalid.
pub fn outline(config: &ModelConfig, device: &Device) -> Result<AnyModel, ModelError> {
    config.validate()?;
    Ok(AnyModel::make(config, device, Weights::Zero))
}

impl AnyModel {
    /// Builds the network of a validated configuration. No weight is computed yet.
    fn make(config: &ModelConfig, device: &Device, weights: Weights) -> Self {
        let network = match &config.network {
            NetworkConfig::LiveStreamUnet(network) => {
                Network::LiveStreamUnet(LiveStreamUNet::new(network, device))
            }
            NetworkConfig::Stress(network) => {
                let timesteps = config.schedule.train_timesteps;
                Network::Stress(StressNetwork::new(network, timesteps, device))
            }
        };
        let model = Self {
            config: config.clone(),
            network,
            trained: matches!(weights, Weights::Loaded(_)),
            weights,
            notes: Vec::new(),
        };
        match model.weights.clone() {
            Weights::Seeded(seed) => map_network!(model, network => seeded(network, seed)),
            Weights::Zero => map_network!(model, network => zeroed(network)),
            Weights::Loaded(kept) => map_network!(model, network => with_kept(network, &kept)),
            Weights::Own => model,
        }
    }

    /// Returns the configuration that the network was built from.
    #[must_use]
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the device of the first parameter.
    pub(crate) fn first_device(&self) -> Device {
        self.devices().into_iter().next().unwrap_or_default()
    }

    /// Whether weights were loaded from a file.
    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    pub(crate) fn named_forward(&self) -> &dyn NamedForward {
        each!(&self.network, network => network)
    }

    /// Returns what was done to the weights of a file to load them, a line each: a prefix removed from the names, tensors
    /// left out. Copies by [`Module::valid`] have none.
    #[must_use]
    pub fn weight_notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns this model with the weights of a file, whose data it keeps, and the notes on loading them.
    pub(crate) fn into_loaded(self, device: &Device, notes: Vec<String>) -> Self {
        let config = self.config.clone();
        let kept = each!(self.network, network => keep(network));
        let loaded = Self::make(&config, device, Weights::Loaded(kept));
        Self { notes, ..loaded }
    }
}

impl StreamModel for AnyModel {
    fn denoise(&self, step: StepInput) -> StepOutput {
        each!(&self.network, network => network.denoise(step))
    }

    fn name(&self) -> &str {
        &self.config.name
    }

    fn schedule(&self) -> Schedule {
        self.config.schedule.clone()
    }

    fn check_size(&self, size: Size) -> Result<(), ModelError> {
        self.config.validate_size(size)
    }

    fn state_specs(&self, batch: usize) -> Vec<TensorSpec> {
        each!(&self.network, network => network.state_specs(batch))
    }

    fn update_state(&self, state: NamedTensors, last: &StepOutput) -> NamedTensors {
        each!(&self.network, network => network.update_state(state, last))
    }

    fn blend(&self, picture: Tensor<4>, previous: Tensor<4>, state: &NamedTensors) -> Tensor<4> {
        each!(&self.network, network => network.blend(picture, previous, state))
    }
}

// Not derived, because the derived implementation for enums adds the variant's name to every parameter's path.
impl Module for AnyModel {
    fn collect_devices(&self, devices: Devices) -> Devices {
        each!(&self.network, network => network.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        map_network!(self, network => network.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        map_network!(self, network => network.to_device(device))
    }

    fn train(self) -> Self {
        map_network!(self, network => network.train())
    }

    fn valid(&self) -> Self {
        let devices = self.devices();
        let known = !matches!(self.weights, Weights::Own);
        match &devices[..] {
            [device] if known && !device.is_autodiff() => {
                Self::make(&self.config, device, self.weights.clone())
            }
            _ => {
                let model = self.clone();
                map_network!(model, network => network.valid())
            }
        }
    }

    fn materialize(self) -> Self {
        map_network!(self, network => network.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        each!(&self.network, network => network.visit(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let model = Self {
            weights: Weights::Own,
            ..self
        };
        map_network!(model, network => network.map(mapper))
    }
}

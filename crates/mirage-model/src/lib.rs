//! The networks that Mirage runs, written once, in burn.
//!
//! A [`ModelConfig`] (a preset, a TOML file, `key=value` overrides) says what to build; [`build`] makes it with seeded,
//! untrained weights; [`AnyModel::load_weights`] replaces them. A sampler runs any of them through [`StreamModel`].
//!
//! ```
//! use burn::tensor::Device;
//! use mirage_model::{ModelConfig, build, parameter_count};
//!
//! let config = ModelConfig::load("lsd-tiny")?.with_overrides(&["network.memory.slots=7"])?;
//! let model = build(&config, &Device::flex(), 0)?;
//! assert!(!model.is_trained());
//! assert!(parameter_count(&model) > 100_000);
//! # Ok::<(), mirage_model::ModelError>(())
//! ```
//!
//! Forward passes read no tensor's contents and make no random numbers, all shapes are concrete, and everything a network
//! needs moves with [`Module::to_device`](burn::module::Module::to_device), so burn's capture device records any of it.

mod any;
mod config;
mod error;
mod forward;
mod lazy;
mod network;
mod parameters;
mod seed;
mod stream_model;
mod tensor;
mod weights;

pub use any::{AnyModel, build, outline};
pub use config::{
    AttentionConfig, BetaSchedule, LiveStreamUNetConfig, MemoryConfig, ModelConfig, NetworkConfig,
    Prediction, Preset, Schedule, Size, StressConfig, presets,
};
pub use error::ModelError;
pub use network::{LiveStreamUNet, StressNetwork};
pub use parameters::{ParameterInfo, named_parameters, parameter_count};
pub use stream_model::{FrameFormat, StepInput, StepOutput, StreamModel};
pub use tensor::{AnyTensor, NamedTensors, TensorSpec};
pub use weights::{Misfit, WeightLayout};

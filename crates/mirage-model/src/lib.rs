//! The networks that Mirage runs, written once, in burn.
//!
//! A [`ModelConfig`] (a preset or a TOML file, with `key=value` overrides) describes a network, and [`build`] creates it
//! with seeded, untrained weights, which [`AnyModel::load_weights`] replaces. A sampler runs it through [`StreamModel`].
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
//! Forward passes do not read the contents of tensors and draw no random numbers, all shapes are fixed, and
//! [`Module::to_device`](burn::module::Module::to_device) moves everything that a network needs, so that burn's capture
//! device can record them.

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
pub use weights::{Misfit, TensorEntry, TensorFile, WeightLayout};

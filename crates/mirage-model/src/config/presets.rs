//! The configurations that are built in.

use super::ModelConfig;
use crate::ModelError;

/// A built-in configuration.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its text, as in `configs/models`.
    pub toml: &'static str,
}

impl Preset {
    /// The configuration.
    ///
    /// # Errors
    /// Only if the built-in text were wrong, which a test excludes.
    pub fn config(&self) -> Result<ModelConfig, ModelError> {
        ModelConfig::from_toml(self.toml, &format!("preset {}", self.name))
    }
}

macro_rules! preset {
    ($name:literal) => {
        Preset {
            name: $name,
            toml: include_str!(concat!("../../presets/", $name, ".toml")),
        }
    };
}

/// The built-in configurations by kind of network, smallest first.
#[must_use]
pub fn presets() -> &'static [Preset] {
    const PRESETS: &[Preset] = &[
        preset!("lsd-tiny"),
        preset!("lsd-light"),
        preset!("lsd-medium"),
        preset!("lsd-heavy"),
        preset!("stress-light"),
        preset!("stress"),
        preset!("stress-heavy"),
    ];
    PRESETS
}

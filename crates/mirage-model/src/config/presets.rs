//! The built-in configurations.

use super::ModelConfig;
use crate::ModelError;

/// A built-in configuration.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// The name.
    pub name: &'static str,
    /// The text of the file, to which the top-level folder `configs/models` links.
    pub toml: &'static str,
}

impl Preset {
    /// Parses the text.
    ///
    /// # Errors
    /// If the text is invalid, which a test excludes for built-in ones.
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

/// Returns the built-in configurations by kind of network, smallest first.
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

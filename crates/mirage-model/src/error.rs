//! Errors of configurations, weight files and networks. Every message is one line: what, where, what to do.

use std::path::PathBuf;

use crate::weights::Misfit;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A model name that is neither a preset nor a file.
    #[error("unknown model `{name}` (neither a preset nor a .toml file): {hint}")]
    UnknownModel {
        /// The name as given.
        name: String,
        /// `did you mean …?`, or the presets.
        hint: String,
    },

    /// A configuration file that could not be read.
    #[error("cannot read model configuration {}: {source}; pass a preset (mirage models) or an existing .toml file", path.display())]
    ReadConfig {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// A configuration that is not TOML, lacks a key or has a value of a wrong type.
    #[error("{origin}: {message}")]
    ParseConfig {
        /// The file with its line if known, or the preset.
        origin: String,
        /// What is wrong.
        message: String,
    },

    /// A key that no configuration of this kind of network has.
    #[error("{origin}: unknown key `{key}`: {hint}")]
    UnknownKey {
        /// The file, the preset, or `--set`.
        origin: String,
        /// The dotted key as given.
        key: String,
        /// `did you mean …?`, or the known keys.
        hint: String,
    },

    /// An override that is not `key=value`, or whose value has another type than the key.
    #[error("--set {text}: {reason}")]
    Override {
        /// The override as given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },

    /// An invalid configuration.
    #[error("model `{model}`: {key} {reason}")]
    InvalidConfig {
        /// The configuration's name.
        model: String,
        /// The dotted key at fault.
        key: String,
        /// What the value has to be.
        reason: String,
    },

    /// A frame size that the network does not support.
    #[error(
        "model `{model}` cannot run at {width}x{height}: both sides must be multiples of {multiple} from {multiple} to {max} (the network halves them {halvings} times); the nearest size is {nearest_width}x{nearest_height}"
    )]
    Size {
        /// The configuration's name.
        model: String,
        /// The requested width in pixels.
        width: usize,
        /// The requested height in pixels.
        height: usize,
        /// What both sides must be a multiple of.
        multiple: usize,
        /// The longest side in pixels.
        max: usize,
        /// How often the network halves the sides.
        halvings: usize,
        /// The nearest supported width.
        nearest_width: usize,
        /// The nearest supported height.
        nearest_height: usize,
    },

    /// A named input that does not fit the network.
    #[error("input `{name}`: {reason}")]
    Input {
        /// The input's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },

    /// Weights that could not be read: missing file, truncated, not safetensors.
    #[error("cannot read weights from {}: {reason}", path.display())]
    ReadWeights {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },

    /// Weights whose names or shapes differ from the network's.
    #[error("weights {} do not fit model `{model}`: {misfit}", path.display())]
    WeightsMisfit {
        /// The file.
        path: PathBuf,
        /// The configuration's name.
        model: String,
        /// Missing, unused and mismatched keys.
        misfit: Box<Misfit>,
    },

    /// Weights that could not be written; an existing file is unchanged.
    #[error("cannot write weights to {}: {reason}", path.display())]
    WriteWeights {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

//! What can go wrong between a configuration, a weight file and a network. Every message is one line: what, where, what to do.

use std::path::PathBuf;

use crate::weights::Misfit;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A model name that is neither a preset nor a file.
    #[error("unknown model `{name}`: {hint}; presets: {presets}; a path to a .toml file works too")]
    UnknownModel {
        /// The name as given.
        name: String,

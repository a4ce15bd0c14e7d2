//! `--model`, `--set`, `--weights` and `--seed`.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;
use mirage_model::{AnyModel, ModelConfig, ModelError, WeightLayout, build, outline, presets};

use crate::{
    error::{CliError, Ending, Result},
    files::Files,
};

/// The model and its weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Model")]
pub(crate) struct ModelArgs {
    /// The model: a built-in one (see `mirage models list`) or a configuration file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "lsd-tiny")]
    pub(crate) model: String,
    /// Override a value of the model's configuration, such as network.channels=24; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Load trained weights: a safetensors file, or the folder or .safetensors.index.json of a sharded
    /// one [default: untrained weights, which leave the picture nearly unchanged]
    #[arg(long, value_name = "FILE.safetensors")]
    pub(crate) weights: Option<PathBuf>,
    /// Seed of untrained weights, noise and the test scene
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

impl ModelArgs {
    /// The files that are read.
    pub(crate) fn files(&self) -> Files {
        let is_preset = presets().iter().any(|preset| preset.name == self.model);
        let files = Files::default()
            .reads("--model", (!is_preset).then_some(&self.model))
            .reads("--weights", self.weights.as_ref());
        let shards = self.weights.as_deref().map(shards).unwrap_or_default();
        let add = |files: Files, shard| files.reads("--weights", Some(shard));
        shards.into_iter().fold(files, add)
    }

    /// Returns the configuration.
    pub(crate) fn config(&self) -> Result<ModelConfig> {
        let config = ModelConfig::load(&self.model).map_err(|e| match e {
            ModelError::UnknownModel { .. } => CliError::usage(e.to_string()),
            _ => CliError::failure(e.to_string()),
        })?;
        config.with_overrides(&self.set).usage()
    }

    /// Returns the network with zero weights that take no memory, for uses that do not read them.
    pub(crate) fn outline(&self, config: &ModelConfig) -> Result<AnyModel> {
        outline(config, &Device::flex()).failure()
    }

    /// Returns the network with its weights.
    pub(crate) fn build(&self, config: &ModelConfig) -> Result<AnyModel> {
        let mut model = build(config, &Device::flex(), self.seed).failure()?;
        if let Some(path) = &self.weights {
            let layout = WeightLayout::detect(path).failure()?;
            model.load_weights(path, layout).failure()?;
        }
        Ok(model)
    }
}

/// Returns the files beside the index, or in the folder, of a sharded checkpoint; none for a single file.
fn shards(weights: &Path) -> Vec<PathBuf> {
    let folder = match weights.parent() {
        _ if weights.is_dir() => weights,
        Some(folder) if weights.extension().is_some_and(|e| e == "json") => {
            if folder == Path::new("") {
                Path::new(".")
            } else {
                folder
            }
        }
        _ => return Vec::new(),
    };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_part = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| e == "safetensors" || e == "json")
            && path.is_file()
    };
    files.map(|file| file.path()).filter(is_part).collect()
}

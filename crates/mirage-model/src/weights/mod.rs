//! Loads and saves weights as safetensors.

mod checkpoint;
mod file;
mod fit;
mod other;
mod read;

use std::path::Path;

use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, SafetensorsStore};

use self::{checkpoint::Checkpoint, fit::Fit, read::Reading};
pub use self::{
    file::{TensorEntry, TensorFile},
    fit::Misfit,
};
use crate::{AnyModel, ModelError, outline};

/// The layout and names of a weight file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightLayout {
    /// burn's: linear layers are `[in, out]`; norms have `gamma` and `beta`.
    #[default]
    Burn,
    /// PyTorch's: linear layers are `[out, in]`; norms have `weight` and `bias`. The counters of batch norms
    /// (`num_batches_tracked`) are ignored.
    PyTorch,
}

impl WeightLayout {
    /// Detects the layout from the names in the headers of a checkpoint: every network here has norms, whose parameters are
    /// called `gamma` only in burn's layout. For `path` see [`AnyModel::load_weights`].
    ///
    /// # Errors
    /// If the file is missing, truncated or not safetensors.
    pub fn detect(path: &Path) -> Result<Self, ModelError> {
        let checkpoint = open(path)?;
        let gammas = checkpoint.entries().any(|e| e.name.ends_with(".gamma"));
        Ok(if gammas { Self::Burn } else { Self::PyTorch })
    }
}

fn open(path: &Path) -> Result<Checkpoint, ModelError> {
    Checkpoint::open(path).map_err(|reason| unreadable(path, reason))
}

fn unreadable(path: &Path, reason: String) -> ModelError {
    ModelError::ReadWeights {
        path: path.to_owned(),
        reason,
    }
}

impl AnyModel {
    /// Loads all parameters from a checkpoint, by their paths ([`named_parameters`](crate::named_parameters)): a safetensors
    /// file, the index of a sharded one (`*.safetensors.index.json`), or the folder of the shards.
    ///
    /// A prefix that all names share (`module.`, `model.diffusion_model.`) is removed if the names fit the network without
    /// it. f16, bf16 and f64 become f32. Tensors that the network does not have and whose dtype is no float are left out.
    /// [`weight_notes`](Self::weight_notes) has what was done. Parameters are read one by one, so that the file is never in
    /// memory as a whole. On an error the model is unchanged.
    ///
    /// # Errors
    /// If a file is missing, truncated or not safetensors; if its names are not exactly the network's: missing, unused and
    /// mismatched ones are listed, with names and shapes as the file has them; if a weight is NaN or infinite.
    pub fn load_weights(&mut self, path: &Path, layout: WeightLayout) -> Result<(), ModelError> {
        let checkpoint = open(path)?;
        let device = self.first_device();
        let mut loaded = outline(self.config(), &device)?;
        let Fit {
            sources,
            misfit,
            notes,
        } = Fit::of(&checkpoint, &loaded, layout);
        if !misfit.is_empty() {
            return Err(ModelError::WeightsMisfit {
                path: path.to_owned(),
                model: self.config().name.clone(),
                misfit: Box::new(misfit),
            });
        }
        let reading = Reading::new(checkpoint);
        let tensors = sources.iter().map(|source| reading.tensor(source));
        let adapter: Option<Box<dyn burn_store::ModuleAdapter>> = match layout {
            WeightLayout::Burn => None,
            WeightLayout::PyTorch => Some(Box::new(PyTorchToBurnAdapter)),
        };
        let result = loaded.apply(tensors.collect(), None, adapter, false);
        if let Some(reason) = reading.failure() {
            return Err(unreadable(path, reason));
        }
        if let Some(error) = result.errors.first() {
            return Err(unreadable(path, error.to_string()));
        }
        *self = loaded.into_loaded(&device, notes);
        tracing::debug!(model = self.config().name, path = %path.display(), "loaded weights");
        Ok(())
    }

    /// Saves all parameters to a safetensors file by their paths. The file is written atomically and replaces an existing
    /// one.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is unchanged.
    pub fn save_weights(&self, path: &Path, layout: WeightLayout) -> Result<(), ModelError> {
        let unwritable = |reason: String| ModelError::WriteWeights {
            path: path.to_owned(),
            reason,
        };
        let store = SafetensorsStore::from_file(path)
            .overwrite(true)
            .metadata("mirage.model", &self.config().name);
        let mut store = match layout {
            WeightLayout::Burn => store,
            WeightLayout::PyTorch => store.with_to_adapter(BurnToPyTorchAdapter),
        };
        self.save_into(&mut store)
            .map_err(|error| unwritable(error.to_string()))
    }
}

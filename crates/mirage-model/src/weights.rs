//! Loads and saves weights as safetensors.

use std::{fmt, path::Path};

use burn::{module::Module, tensor::DType};
use burn_store::{
    ApplyError, ApplyResult, BurnToPyTorchAdapter, FloatCastAdapter, ModuleAdapter, ModuleSnapshot,
    ModuleStore, PyTorchToBurnAdapter, SafetensorsStore,
};

use crate::{AnyModel, ModelError};

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
    /// Detects the layout from the keys of a safetensors file: every network here has norms, whose parameters are called
    /// `gamma` only in burn's layout.
    ///
    /// # Errors
    /// If the file is missing, truncated or not safetensors.
    pub fn detect(path: &Path) -> Result<Self, ModelError> {
        let unreadable = |reason: String| unreadable(path, reason);
        std::fs::File::open(path)
            .map_err(|error| unreadable(format!("{error}; expected a safetensors file")))?;
        let keys = SafetensorsStore::from_file(path).keys().map_err(|error| {
            unreadable(format!(
                "{error}; the file may be truncated or not safetensors"
            ))
        })?;
        let gammas = keys.iter().any(|key| key.ends_with(".gamma"));
        Ok(if gammas { Self::Burn } else { Self::PyTorch })
    }
}

fn unreadable(path: &Path, reason: String) -> ModelError {
    ModelError::ReadWeights {
        path: path.to_owned(),
        reason,
    }
}

/// The differences between a weight file and a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Misfit {
    /// Parameters of the network that the file lacks.
    pub missing: Vec<String>,
    /// Tensors of the file that the network does not have.
    pub unused: Vec<String>,
    /// Parameters with another shape or type in the file, with those of the network and of the file.
    pub mismatched: Vec<String>,
}

/// A counter of PyTorch's batch norms, which is not used at inference.
const BATCHES_TRACKED: &str = ".num_batches_tracked";

/// Maximum number of keys of each sort in a message, beside their count.
const NAMED: usize = 10;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sorts = [
            ("missing from the file", &self.missing),
            ("not in the network", &self.unused),
            ("of another shape or type", &self.mismatched),
        ];
        let mut separator = "";
        for (sort, keys) in sorts.into_iter().filter(|(_, keys)| !keys.is_empty()) {
            let named = keys[..keys.len().min(NAMED)].join(", ");
            let more = if keys.len() > NAMED { ", …" } else { "" };
            write!(f, "{separator}{} {sort}: {named}{more}", keys.len())?;
            separator = "; ";
        }
        Ok(())
    }
}

impl Misfit {
    fn of(result: ApplyResult, layout: WeightLayout) -> Self {
        let mismatched = result.errors.iter().map(describe).collect();
        let missing = result.missing.into_iter().map(|(path, _)| path).collect();
        let mut unused = result.unused;
        if layout == WeightLayout::PyTorch {
            unused.retain(|key| !key.ends_with(BATCHES_TRACKED));
        }
        Self {
            missing,
            unused,
            mismatched,
        }
    }

    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.mismatched.is_empty()
    }
}

fn describe(error: &ApplyError) -> String {
    match error {
        ApplyError::ShapeMismatch {
            path,
            expected,
            found,
        } => {
            format!(
                "{path} (network {:?}, file {:?})",
                expected.as_slice(),
                found.as_slice()
            )
        }
        ApplyError::DTypeMismatch {
            path,
            expected,
            found,
        } => {
            format!("{path} (network {expected:?}, file {found:?})")
        }
        ApplyError::AdapterError { path, message } | ApplyError::LoadError { path, message } => {
            format!("{path} ({message})")
        }
    }
}

impl AnyModel {
    /// Loads all parameters from a safetensors file, by their paths ([`named_parameters`](crate::named_parameters)).
    /// Half-precision files are loaded into f32 parameters. On an error the model is unchanged.
    ///
    /// # Errors
    /// If the file is missing, truncated or not safetensors, or its keys are not exactly the network's: missing, unused and
    /// mismatched ones are listed.
    pub fn load_weights(&mut self, path: &Path, layout: WeightLayout) -> Result<(), ModelError> {
        let unreadable = |reason: String| unreadable(path, reason);
        let to_f32 = FloatCastAdapter::to(DType::F32);
        // The store does not validate, so that all differences are reported and not only the first.
        let store = SafetensorsStore::from_file(path)
            .validate(false)
            .allow_partial(true);
        let mut store = match layout {
            WeightLayout::Burn => store.with_from_adapter(to_f32),
            WeightLayout::PyTorch => store.with_from_adapter(PyTorchToBurnAdapter.chain(to_f32)),
        };
        std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;

        let mut loaded = self.clone();
        let result = loaded.load_from(&mut store).map_err(|error| {
            unreadable(format!(
                "{error}; the file may be truncated or not safetensors"
            ))
        })?;
        let misfit = Misfit::of(result, layout);
        if !misfit.is_empty() {
            return Err(ModelError::WeightsMisfit {
                path: path.to_owned(),
                model: self.config().name.clone(),
                misfit,
            });
        }
        let device = loaded.devices().into_iter().next().unwrap_or_default();
        *self = loaded.into_loaded(&device);
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

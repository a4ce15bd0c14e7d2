//! Reads the tensors of a checkpoint into a network, one by one.

use std::sync::{Arc, OnceLock};

use burn::tensor::{DType, Shape, TensorData, bf16, f16};
use burn_store::{bridge, burn_pack};
use safetensors::Dtype;

use super::{
    checkpoint::Checkpoint,
    fit::{Source, is_float},
};

/// A checkpoint that is being read, and the first failure.
pub(super) struct Reading {
    checkpoint: Arc<Checkpoint>,
    failure: Arc<OnceLock<String>>,
}

impl Reading {
    pub(super) fn new(checkpoint: Checkpoint) -> Self {
        Reading {
            checkpoint: Arc::new(checkpoint),
            failure: Arc::default(),
        }
    }

    /// Returns a tensor in f32 with the name that the network has for it. Its elements are read when they are used.
    pub(super) fn tensor(&self, source: &Source) -> burn_pack::Tensor {
        let (checkpoint, failure) = (Arc::clone(&self.checkpoint), Arc::clone(&self.failure));
        let (shape, name) = (Shape::from(source.shape.clone()), source.file_name.clone());
        let wanted = shape.clone();
        bridge::deferred(source.name.clone(), DType::F32, shape, None, move || {
            let values = values(&checkpoint, &name).map_err(|why| {
                // Only the first is reported.
                let _ = failure.set(why.clone());
                burn_pack::Error::ValidationError(why)
            })?;
            Ok(TensorData::new(values, wanted.clone()))
        })
    }

    /// Returns why the first tensor could not be read or used.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }
}

fn values(checkpoint: &Checkpoint, name: &str) -> Result<Vec<f32>, String> {
    let (file, entry) = checkpoint
        .find(name)
        .filter(|(_, entry)| is_float(entry.dtype))
        .ok_or_else(|| format!("tensor `{name}` is not there, or has no float dtype"))?;
    let bytes = file.read(entry).map_err(|e| {
        format!("tensor `{name}` cannot be read: {e}; copy or download the file again")
    })?;
    let values = floats(entry.dtype, &bytes);
    let Some(first) = values.iter().position(|v| !v.is_finite()) else {
        return Ok(values);
    };
    let count = values.iter().filter(|v| !v.is_finite()).count();
    let is = if count == 1 { "is" } else { "are" };
    Err(format!(
        "tensor `{name}` is not finite: {count} of its {} elements {is} NaN or infinite in f32, the first at index {first}; \
         the file is damaged, or its training diverged: use another checkpoint",
        values.len()
    ))
}

/// Decodes floats; `dtype` is one that [`is_float`] accepts.
fn floats(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    match dtype {
        Dtype::F16 => decode(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => decode(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => decode(bytes, |b| f64::from_le_bytes(b) as f32),
        _ => decode(bytes, f32::from_le_bytes),
    }
}

fn decode<const N: usize>(bytes: &[u8], one: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|chunk| one(*chunk)).collect()
}

//! Outputs of captured programs.

use burn::tensor::{BackendPrimitive, Tensor, kind::Basic};
use burn_capture::{CaptureBackend, CaptureClient};
use burn_ir::TensorId;
use burn_router::RouterTensor;

use crate::CaptureError;

/// The named outputs of a captured program, and the new contents of its states.
#[derive(Debug, Default)]
pub struct Outputs {
    pub(crate) outputs: Vec<Named>,
    pub(crate) states: Vec<Named>,
}

/// A name and the recorded tensor; `None` for a tensor on another device.
pub(crate) type Named = (String, Option<TensorId>);

impl Outputs {
    /// Returns an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an output. It may be an input, a constant, or a tensor that is an output already.
    pub fn output<const D: usize, K>(
        mut self,
        name: impl Into<String>,
        tensor: Tensor<D, K>,
    ) -> Self
    where
        K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
    {
        self.outputs.push((name.into(), recorded_id(&tensor)));
        self
    }

    /// Sets the new content of a declared state. The tensor must have the state's dtype and shape.
    pub fn state<const D: usize, K>(mut self, name: impl Into<String>, tensor: Tensor<D, K>) -> Self
    where
        K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
    {
        self.states.push((name.into(), recorded_id(&tensor)));
        self
    }
}

/// The result of a capture's closure: [`Outputs`], or one tensor, which becomes the output `out`.
pub trait IntoOutputs {
    /// Converts to named outputs.
    fn into_outputs(self) -> Outputs;
}

impl IntoOutputs for Outputs {
    fn into_outputs(self) -> Outputs {
        self
    }
}

impl<const D: usize, K> IntoOutputs for Tensor<D, K>
where
    K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
{
    fn into_outputs(self) -> Outputs {
        Outputs::new().output("out", self)
    }
}

/// Returns the id of a recorded tensor; `None` if it is on another device.
pub(crate) fn recorded_id<const D: usize, K>(tensor: &Tensor<D, K>) -> Option<TensorId>
where
    K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
{
    tensor
        .clone()
        .try_into_primitive::<CaptureBackend>()
        .ok()
        .map(|t| t.id())
}

/// Returns the ids of named results.
pub(crate) fn resolve(named: Vec<Named>) -> Result<Vec<(String, TensorId)>, CaptureError> {
    named
        .into_iter()
        .map(|(name, id)| match id {
            Some(id) => Ok((name, id)),
            None => Err(CaptureError::NotRecorded(name)),
        })
        .collect()
}

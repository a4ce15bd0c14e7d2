//! Declarations of inputs and states, and the tensors for them.

use std::{collections::BTreeMap, panic::resume_unwind};

use burn::tensor::{BackendPrimitive, Bool, Device, Int, Tensor, kind::Basic};
use burn_backend::{Shape, TensorData};
use burn_capture::{CaptureBackend, CaptureClient, CaptureDevice};
use burn_ir::TensorId;
use burn_router::{RouterClient, RouterTensor};
use mirage_ir::{DType, TensorType};

use crate::{CaptureError, dtype::burn_dtype};

/// Whether a declaration is an input or a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Given for each execution.
    Input,
    /// Kept by the executable between executions.
    State,
}

/// The declaration of an input or a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The name, unique among inputs and states.
    pub name: String,
    /// The type, row-major.
    pub ty: TensorType,
    /// Whether it is an input or a state.
    pub role: Role,
}

impl Spec {
    /// Declares an input.
    pub fn input(name: impl Into<String>, dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Spec {
            name: name.into(),
            ty: TensorType::new(dtype, shape),
            role: Role::Input,
        }
    }

    /// Declares a state. Its content does not change unless the closure sets a new one
    /// ([`Outputs::state`](crate::Outputs::state)).
    pub fn state(name: impl Into<String>, dtype: DType, shape: impl Into<Vec<usize>>) -> Self {
        Spec {
            role: Role::State,
            ..Spec::input(name, dtype, shape)
        }
    }
}

/// The declared inputs and states as tensors on the recording device.
///
/// Reading an undeclared name, or one as another kind or rank, ends the capture with an
/// error.
pub struct Inputs {
    device: Device,
    tensors: BTreeMap<String, (RouterTensor<CaptureClient>, TensorType)>,
}

impl Inputs {
    /// Registers the inputs in a recording scope. Their content, zeros, is never read.
    pub(crate) fn register(specs: &[Spec], device: CaptureDevice) -> Result<Self, CaptureError> {
        let client = burn_router::get_client::<burn_capture::CaptureChannel>(&device);
        let mut tensors = BTreeMap::new();
        for spec in specs {
            let bytes = vec![0; spec.ty.bytes()];
            let shape = Shape::from(spec.ty.shape.clone());
            let data = TensorData::from_bytes_vec(bytes, shape, burn_dtype(spec.ty.dtype));
            let tensor = client.register_tensor_data(data);
            if tensors
                .insert(spec.name.clone(), (tensor, spec.ty.clone()))
                .is_some()
            {
                return Err(CaptureError::DuplicateInput(spec.name.clone()));
            }
        }
        Ok(Inputs {
            device: Device::new(burn::backend::DispatchDevice::Capture(device)),
            tensors,
        })
    }

    /// Returns the ids of the inputs in the order of `specs`.
    pub(crate) fn ids(&self, specs: &[Spec]) -> Vec<TensorId> {
        specs
            .iter()
            .filter_map(|s| self.tensors.get(&s.name))
            .map(|(t, _)| t.id())
            .collect()
    }

    /// Returns the recording device, for constants.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns a floating-point input of rank `D`.
    pub fn float<const D: usize>(&self, name: &str) -> Tensor<D> {
        self.get(name, "a floating-point", DType::is_float)
    }

    /// Returns an integer input of rank `D`.
    pub fn int<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        self.get(name, "an integer", DType::is_int)
    }

    /// Returns a bool input of rank `D`.
    pub fn bool<const D: usize>(&self, name: &str) -> Tensor<D, Bool> {
        self.get(name, "a bool", |dtype| dtype == DType::Bool)
    }

    fn get<const D: usize, K>(
        &self,
        name: &str,
        kind: &str,
        fits: fn(DType) -> bool,
    ) -> Tensor<D, K>
    where
        K: Basic + BackendPrimitive<CaptureBackend, Primitive = RouterTensor<CaptureClient>>,
    {
        match self.tensors.get(name) {
            Some((tensor, ty)) if ty.rank() == D && fits(ty.dtype) => {
                Tensor::from_primitive::<CaptureBackend>(tensor.clone())
            }
            Some((_, ty)) => refuse(CaptureError::WrongInput {
                name: name.to_owned(),
                declared: ty.clone(),
                asked: format!("{kind} tensor of rank {D}"),
            }),
            None => refuse(CaptureError::UnknownInput {
                name: name.to_owned(),
                declared: list(self.tensors.keys().map(String::as_str)),
            }),
        }
    }
}

/// Leaves the closure with an error: unwinds to [`capture`](crate::capture), which catches it,
/// without printing a panic message.
fn refuse(error: CaptureError) -> ! {
    resume_unwind(Box::new(error))
}

/// Formats names for a message.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

//! Inputs, outputs and states of an executable, and the checks of what is passed to it.

use std::any::Any;

use mirage_ir::{Graph, Port, TensorData, TensorType, ValueId};

use crate::{BackendError, Buffer, PortInfo};

/// Names and types of an executable's inputs, outputs and states. For backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The inputs, in order.
    pub inputs: Vec<PortInfo>,
    /// The outputs, in order.
    pub outputs: Vec<PortInfo>,
    /// The states.
    pub states: Vec<PortInfo>,
}

impl Ports {
    /// Those of a graph.
    pub fn of(graph: &Graph) -> Self {
        let info = |name: &std::sync::Arc<str>, value: ValueId| PortInfo {
            name: name.clone(),
            ty: graph.ty(value).clone(),
        };
        let ports = |ports: &[Port]| ports.iter().map(|p| info(&p.name, p.value)).collect();
        Ports {
            inputs: ports(graph.inputs()),
            outputs: ports(graph.outputs()),
            states: graph
                .states()
                .iter()
                .map(|s| info(&s.name, s.input))
                .collect(),
        }
    }

    /// The bytes of all states.
    pub fn state_bytes(&self) -> u64 {
        self.states.iter().map(|s| s.ty.bytes() as u64).sum()
    }

    /// The index of the state of this name.
    ///
    /// # Errors
    /// If no state has this name. The message lists the states.
    pub fn state(&self, name: &str) -> Result<usize, BackendError> {
        let found = self.states.iter().position(|s| &*s.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.states.iter().map(|s| &*s.name).collect();
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            BackendError::Argument(format!(
                "there is no state `{name}`; the states are: {known}"
            ))
        })
    }

    /// Checks the arguments of an execution: their number, their types, and that their contents are of
    /// type `T`, the backend's own.
    ///
    /// # Errors
    /// If one does not fit. The message names the input.
    pub fn check_inputs<T: Any>(&self, inputs: &[Buffer]) -> Result<(), BackendError> {
        check::<T>("input", &self.inputs, inputs)
    }

    /// As [`Self::check_inputs`], for buffers that outputs are written into.
    ///
    /// # Errors
    /// If one does not fit. The message names the output.
    pub fn check_outputs<T: Any>(&self, outputs: &[Buffer]) -> Result<(), BackendError> {
        check::<T>("output", &self.outputs, outputs)
    }
}

fn check<T: Any>(kind: &str, ports: &[PortInfo], buffers: &[Buffer]) -> Result<(), BackendError> {
    if buffers.len() != ports.len() {
        let names: Vec<&str> = ports.iter().map(|p| &*p.name).collect();
        return Err(BackendError::Argument(format!(
            "{} {kind}s given, the graph {} {} ({})",
            buffers.len(),
            if kind == "input" { "takes" } else { "gives" },
            names.len(),
            names.join(", ")
        )));
    }
    for (buffer, port) in buffers.iter().zip(ports) {
        let (name, want, got) = (&port.name, &port.ty, buffer.ty());
        if got != want {
            return Err(BackendError::Argument(format!(
                "{kind} `{name}` must be {want}, got {got}"
            )));
        }
        if buffer.content::<T>().is_none() {
            return Err(BackendError::Argument(format!(
                "{kind} `{name}` is on another backend: upload it through this executable"
            )));
        }
    }
    Ok(())
}

/// Checks that elements have the dtype and shape of a type.
///
/// # Errors
/// If they do not. The message says what `what` must be.
pub fn check_data(data: &TensorData, ty: &TensorType, what: &str) -> Result<(), BackendError> {
    if data.dtype == ty.dtype && data.shape == ty.shape {
        return Ok(());
    }
    let got = TensorType::new(data.dtype, &data.shape[..]);
    Err(BackendError::Argument(format!(
        "{what} must be {ty}, got {got}"
    )))
}

/// Checks that so many bytes are the elements of a tensor of this type.
///
/// # Errors
/// They are not; the message names the type.
pub fn check_bytes(len: usize, ty: &TensorType) -> Result<(), BackendError> {
    match ty.bytes() {
        want if want == len => Ok(()),
        want => Err(BackendError::Argument(format!(
            "{ty} takes {want} bytes, got {len}"
        ))),
    }
}

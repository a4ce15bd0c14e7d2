//! Records a closure's operations on burn's capture device.

use std::{
    any::Any,
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use burn::{module::Module, tensor::Device};
use burn_backend::TensorData;
use burn_capture::{CaptureDevice, CapturedGraph};
use burn_ir::{OperationIr, TensorId};

use crate::{CaptureError, Inputs, IntoOutputs, Outputs, Spec, names, outputs::resolve};

/// The record of one run of the closure.
pub(crate) struct Record {
    /// The operations in the order of execution.
    pub(crate) operations: Vec<OperationIr>,
    /// Every initial value: parameters, constants, inputs (zeros).
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    /// The declared inputs and states, in order.
    pub(crate) inputs: Vec<TensorId>,
    /// The module's parameters and their names, in the order of its tree.
    pub(crate) parameters: Vec<(TensorId, String)>,
    /// The named outputs.
    pub(crate) outputs: Vec<(String, TensorId)>,
    /// The named new contents of states.
    pub(crate) states: Vec<(String, TensorId)>,
}

/// The part of a record that is known only inside of the recording scope.
struct Border {
    inputs: Vec<TensorId>,
    parameters: Vec<(TensorId, String)>,
    outputs: Outputs,
}

/// Runs the closure on a recording device and returns the record.
pub(crate) fn record<M: Module, O: IntoOutputs>(
    module: &M,
    specs: &[Spec],
    run: impl FnOnce(&M, &Inputs) -> O,
) -> Result<Record, CaptureError> {
    let device = PooledDevice::take();
    let recorded = catch_unwind(AssertUnwindSafe(|| {
        // A validation snapshot: autodiff and training mode are off, lazy parameters are initialized
        // before the recording starts, and running statistics are separate, so that moving them does
        // not move those of the caller's module.
        let module = module.valid();
        scope(&device, |device| {
            let module =
                module.to_device(&Device::new(burn::backend::DispatchDevice::Capture(device)));
            let inputs = Inputs::register(specs, device)?;
            let parameters = names::parameters(&module)?;
            let outputs = run(&module, &inputs).into_outputs();
            Ok(Border {
                inputs: inputs.ids(specs),
                parameters,
                outputs,
            })
        })
    }));
    let (border, captured) = recorded.unwrap_or_else(|payload| Err(panic_error(payload)))?;
    Ok(Record {
        operations: captured.graph.operations,
        values: captured.values,
        inputs: border.inputs,
        parameters: border.parameters,
        outputs: resolve(border.outputs.outputs)?,
        states: resolve(border.outputs.states)?,
    })
}

/// One recording scope. Its inputs and outputs are declared empty, because burn restricts them (no input as
/// an output, no output twice) and the graph does not; the caller keeps its own lists.
fn scope(
    device: &PooledDevice,
    body: impl FnOnce(CaptureDevice) -> Result<Border, CaptureError>,
) -> Result<(Border, CapturedGraph), CaptureError> {
    let mut border = None;
    let captured = device.0.capture_scope(|scope| {
        border = Some(body(device.0));
        scope.complete([], [])
    });
    match border {
        Some(border) => Ok((
            border?,
            captured.map_err(|e| CaptureError::Device(e.to_string()))?,
        )),
        None => Err(CaptureError::Device("the scope did not run".to_owned())),
    }
}

fn panic_error(payload: Box<dyn Any + Send>) -> CaptureError {
    let payload = match payload.downcast::<CaptureError>() {
        Ok(error) => return *error,
        Err(payload) => payload,
    };
    let message = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_else(|| "no message".to_owned());
    if message.contains(NO_VALUE) {
        CaptureError::ReadsValues(message)
    } else {
        CaptureError::Panicked(message)
    }
}

/// The message of burn's recording device when a closure reads values; a test checks it.
const NO_VALUE: &str = "has no concrete value";

/// Recording devices that are free. burn has 65536 of them for the life of a process and allows one scope
/// for each device at a time.
static IDLE: Mutex<Vec<CaptureDevice>> = Mutex::new(Vec::new());

/// A recording device for one capture, released when dropped.
struct PooledDevice(CaptureDevice);

impl PooledDevice {
    fn take() -> Self {
        let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        PooledDevice(idle.unwrap_or_default())
    }
}

impl Drop for PooledDevice {
    fn drop(&mut self) {
        IDLE.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.0);
    }
}

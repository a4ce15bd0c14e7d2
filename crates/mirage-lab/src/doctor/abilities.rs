//! The operations and dtypes that each backend supports.

use mirage_backend::{Backend, CompileOptions, backends};
use mirage_ir::{
    DType,
    target::{Capabilities, Subject, Support},
};
use serde::Serialize;

use super::probe::{Measured, PROBES, Probe};

/// The dtypes that networks run in.
pub const DTYPES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

/// A device of a backend.
#[derive(Serialize)]
pub struct Ability {
    /// The backend.
    pub backend: &'static str,
    /// The engine behind the backend.
    pub engine: &'static str,
    /// The index of the device.
    pub device: usize,
    /// The name.
    pub name: String,
    /// Details that matter for its speed.
    pub details: String,
    /// Kinds of regions with kernels in f32.
    pub fused: Vec<String>,
    /// The probed operations.
    pub operations: Vec<Operation>,
}

/// A backend without a device on this machine.
#[derive(Serialize)]
pub struct Idle {
    /// The backend.
    pub backend: &'static str,
    /// Why it has none.
    pub reason: String,
}

/// An operation on a device.
#[derive(Serialize)]
pub struct Operation {
    /// The operation's name in capabilities.
    pub op: &'static str,
    /// Support by dtype.
    pub dtypes: Vec<InDtype>,
}

/// An operation in a dtype.
#[derive(Serialize)]
pub struct InDtype {
    /// The element type.
    pub dtype: DType,
    /// `fast`, `slow`, or null where the backend cannot run it.
    pub support: Option<Support>,
    /// The measured rates, if it was measured.
    pub measured: Option<Measured>,
    /// Why it could not be measured.
    pub error: Option<String>,
}

/// Returns every device of every backend, and the backends without a device. With `measure`, each
/// operation is timed.
pub(super) fn abilities(measure: bool, tell: &mut dyn FnMut(String)) -> (Vec<Ability>, Vec<Idle>) {
    let (mut able, mut idle) = (Vec::new(), Vec::new());
    for backend in backends() {
        let info = backend.info();
        let mut none = |reason| {
            idle.push(Idle {
                backend: info.name,
                reason,
            });
        };
        let devices = match backend.devices() {
            Ok(devices) if devices.is_empty() => {
                none("no device found on this machine".to_owned());
                continue;
            }
            Ok(devices) => devices,
            Err(e) => {
                none(e.to_string());
                continue;
            }
        };
        for device in devices {
            tell(format!("{} on {}", info.name, device.name));
            let capabilities = backend.capabilities(device.index);
            able.push(Ability {
                backend: info.name,
                engine: info.engine,
                device: device.index,
                operations: operations(backend, device.index, &capabilities, measure),
                name: device.name,
                details: device.details,
                fused: fused(&capabilities),
            });
        }
    }
    (able, idle)
}

fn fused(capabilities: &Capabilities) -> Vec<String> {
    let kinds = capabilities.lines.iter().filter_map(|line| {
        let Subject::Region(kind) = &line.subject else {
            return None;
        };
        line.dtypes.contains(&DType::F32).then(|| kind.to_string())
    });
    kinds.collect()
}

fn operations(
    backend: &dyn Backend,
    device: usize,
    capabilities: &Capabilities,
    measure: bool,
) -> Vec<Operation> {
    let options = CompileOptions { device };
    let in_dtype = |probe: &Probe, dtype| {
        let support = capabilities.support(probe.op, dtype);
        let result =
            (measure && support.is_some()).then(|| probe.measure(backend, &options, dtype));
        let (measured, error) = match result {
            Some(Ok(measured)) => (Some(measured), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        InDtype {
            dtype,
            support,
            measured,
            error,
        }
    };
    let operation = |probe: &Probe| Operation {
        op: probe.op,
        dtypes: DTYPES
            .into_iter()
            .map(|dtype| in_dtype(probe, dtype))
            .collect(),
    };
    PROBES.iter().map(operation).collect()
}

impl Ability {
    /// Returns the measured rates of an operation in a dtype.
    pub fn measured(&self, op: &str, dtype: DType) -> Option<&Measured> {
        let operation = self.operations.iter().find(|o| o.op == op)?;
        operation
            .dtypes
            .iter()
            .find(|d| d.dtype == dtype)?
            .measured
            .as_ref()
    }

    pub(super) fn is(&self, backend: &str, device: usize) -> bool {
        self.backend == backend && self.device == device
    }
}

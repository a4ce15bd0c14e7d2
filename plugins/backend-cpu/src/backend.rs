//! The backend.

use std::sync::Arc;

use burn_flex::{Flex, FlexDevice};
use mirage_backend::{
    Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable,
    burn::{Engine, Executor, ExternRunner, InterpreterRunner, Kernels},
};
use mirage_ir::{DType, Graph, Params, target::Capabilities};

use crate::{capabilities, processor::Processor};

/// burn-flex on the processor of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

const NAME: &str = "cpu";

impl Backend for CpuBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "burn-flex 0.22.1",
            summary: "runs on the processor, everywhere; the reference for the other backends",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        let processor = Processor::here();
        Ok(vec![DeviceInfo {
            index: 0,
            details: processor.details(),
            name: processor.name,
        }])
    }

    fn capabilities(&self, _device: usize) -> Capabilities {
        capabilities::here()
    }

    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        if options.device != 0 {
            return Err(BackendError::Argument(format!(
                "backend `{NAME}` has one device, number 0, not {}",
                options.device
            )));
        }
        let engine = Engine::<Flex> {
            name: NAME,
            device: FlexDevice,
            kernels: Arc::new(CpuKernels),
        };
        Ok(Box::new(Executor::compile(&engine, graph, params)?))
    }
}

/// What this backend adds to the generic executor.
struct CpuKernels;

impl Kernels<Flex> for CpuKernels {
    fn externs(&self) -> Option<Arc<dyn ExternRunner<Flex>>> {
        Some(Arc::new(InterpreterRunner))
    }

    fn notes(&self, graph: &Graph) -> Vec<String> {
        let uses = |dtype| graph.values().iter().any(|v| v.ty.dtype == dtype);
        let mut notes = Vec::new();
        if uses(DType::F16) {
            notes.push(
                "f16 has no fast path on this backend: burn-flex widens it to f32 in every \
                 operation, so it saves memory and costs time"
                    .to_owned(),
            );
        }
        if uses(DType::BF16) {
            notes.push(
                "bf16 has no fast path on this backend: burn-flex converts whole tensors to f32 and \
                 back in every operation, so it saves memory and costs time"
                    .to_owned(),
            );
        }
        notes
    }
}

//! The CPU backend.

use std::sync::Arc;

use burn_flex::{Flex, FlexDevice};
use mirage_backend::{
    Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable,
    memory::{MemoryNeed, Room},
};
use mirage_burn::{Engine, Executor};
use mirage_ir::{Graph, GraphFlag, Params, target::Capabilities};
use mirage_machine::{Memory, Processor};
use mirage_runtime::Planned;

use crate::{capabilities, kernels::CpuKernels};

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

    fn allocates_on_heap(&self) -> bool {
        true
    }

    fn capabilities(&self, _device: usize) -> Capabilities {
        capabilities::here()
    }

    /// Weights are stored in f32, whatever their dtype in the graph.
    fn memory_need(&self, graph: &Graph) -> MemoryNeed {
        MemoryNeed::with_f32_weights(graph)
    }

    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        if options.device != 0 {
            return Err(BackendError::Argument(format!(
                "backend `{NAME}` has only device 0, not {}",
                options.device
            )));
        }
        if let Some(memory) = Memory::here() {
            self.memory_need(graph)
                .check(NAME, Room::Free(memory.available))?;
        }
        let kernels = Arc::new(CpuKernels::default());
        let engine = Engine::<Flex>::new(NAME, FlexDevice, kernels.clone());
        if graph.has_flag(GraphFlag::StaticPlan) {
            return Ok(Box::new(Planned::compile(&engine, kernels, graph, params)?));
        }
        Ok(Box::new(Executor::compile(&engine, graph, params)?))
    }
}

//! The libtorch backend.

use std::sync::Arc;

use burn_tch::{LibTorch, LibTorchDevice};
use mirage_backend::{
    Backend, BackendError, BackendInfo, Buffer, CompileOptions, DeviceInfo, Executable, PortInfo,
    memory::{MemoryNeed, Room},
};
use mirage_burn::{Engine, Executor};
use mirage_ir::{Graph, GraphFlag, Params, TensorData, target::Capabilities};
use mirage_machine::{Memory, Processor};

use crate::{capabilities, kernels::TchKernels, threads};

/// libtorch on the processor of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct TchBackend;

/// The backend's name.
pub(crate) const NAME: &str = "tch";

impl Backend for TchBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "libtorch 2.9.0 by burn-tch 0.22.1",
            summary: "runs on the processor with PyTorch's engine",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        threads::as_the_environment_says();
        let processor = Processor::here();
        Ok(vec![DeviceInfo {
            index: 0,
            details: format!(
                "{}; {} threads of libtorch",
                processor.details(),
                tch::get_num_threads()
            ),
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
                "backend `{NAME}` has only device 0, the processor, not {}: graphics cards are \
                 the backend `cuda`'s",
                options.device
            )));
        }
        if let Some(memory) = Memory::here() {
            MemoryNeed::of(graph).check(NAME, Room::Free(memory.available))?;
        }
        let engine = Engine::<LibTorch>::new(NAME, LibTorchDevice::Cpu, Arc::new(TchKernels));
        threads::as_the_environment_says();
        let mut executor = Executor::compile(&engine, graph, params)?;
        if graph.has_flag(GraphFlag::StaticPlan) {
            warm_up(&mut executor)?;
        }
        Ok(Box::new(executor))
    }
}

/// Executes once on zeros, so that threads, workspaces and oneDNN's primitives exist before the first
/// frame.
fn warm_up(executor: &mut impl Executable) -> Result<(), BackendError> {
    let zeros = |port: &PortInfo| {
        let bytes = vec![0; port.ty.numel() * port.ty.dtype.size()];
        let data = TensorData::new(port.ty.dtype, port.ty.shape.to_vec(), bytes);
        let data = data.map_err(|message| BackendError::Engine {
            backend: NAME.to_owned(),
            message,
        })?;
        executor.upload(&data, &port.ty)
    };
    let inputs: Vec<Buffer> = executor
        .inputs()
        .iter()
        .map(zeros)
        .collect::<Result<_, _>>()?;
    executor.execute(&inputs)?;
    executor.reset_states()
}

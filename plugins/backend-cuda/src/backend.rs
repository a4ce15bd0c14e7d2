//! The CUDA backend.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use burn_backend::StreamId;
use burn_cubecl::{Cube, CubeDevice};
use cubecl::device::CudaDevice;
use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_burn::{Engine, Executor};
use mirage_ir::{Graph, GraphFlag, Params, target::Capabilities};

use crate::{
    cache, capabilities, driver, kernels::CudaKernels, memory, recorded::Recorded, warm_up::warm_up,
};

/// burn-cuda on an NVIDIA graphics card.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaBackend;

/// The backend's name.
pub(crate) const NAME: &str = "cuda";

fn device(index: usize) -> Result<CubeDevice, BackendError> {
    cache::keep_in_users_folder();
    match driver::cards()? {
        0 => Err(failed(
            "this machine has no NVIDIA graphics card or no driver for it".to_owned(),
        )),
        n if index >= n => Err(BackendError::Argument(format!(
            "backend `{NAME}` has devices 0 to {}, not {index}",
            n - 1
        ))),
        _ => Ok(CubeDevice::Cuda(CudaDevice { index })),
    }
}

pub(crate) fn failed(message: String) -> BackendError {
    BackendError::Engine {
        backend: NAME.to_owned(),
        message,
    }
}

fn describe(index: usize) -> Result<DeviceInfo, BackendError> {
    let device = device(index)?;
    let properties = catch_unwind(AssertUnwindSafe(|| device.client().properties().clone()));
    let properties = properties.map_err(|_| {
        failed(format!(
            "device {index} does not start (does nvidia-smi show it?)"
        ))
    })?;
    let hardware = &properties.hardware;
    let memory = properties.memory.max_memory().unwrap_or(0);
    Ok(DeviceInfo {
        index,
        name: properties.identity.name.clone(),
        details: format!(
            "{}, {} multiprocessors, {} GiB",
            properties.identity.fingerprint.replace("ptx_", ""),
            hardware.num_streaming_multiprocessors.unwrap_or(0),
            memory >> 30
        ),
    })
}

impl Backend for CudaBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "burn-cuda 0.22.1",
            summary: "runs on NVIDIA graphics cards, whole frames as CUDA graphs",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        (0..driver::cards()?).map(describe).collect()
    }

    fn capabilities(&self, _device: usize) -> Capabilities {
        capabilities::all()
    }

    /// Products of two activations are burn's own, as tf32, whose fractions have 10 bits.
    fn tolerance(&self) -> f64 {
        5e-3
    }

    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        let device = device(options.device)?;
        memory::check(&device, graph)?;
        let kernels = Arc::new(CudaKernels::new(&device));
        let engine = Engine::<Cube>::new(NAME, device, kernels);
        let compiled = if graph.has_flag(GraphFlag::StaticPlan) {
            // One stream for all that the recording reads and writes, whatever thread asks.
            let stream = StreamId::current();
            Recorded::compile(&engine, graph, params, stream)
                .map(|e| Box::new(e) as Box<dyn Executable>)
        } else {
            Executor::compile(&engine, graph, params).and_then(|mut executor| {
                warm_up(&mut executor, graph)?;
                Ok(Box::new(executor) as Box<dyn Executable>)
            })
        };
        compiled.map_err(|e| memory::explain(e, engine.device(), graph))
    }
}

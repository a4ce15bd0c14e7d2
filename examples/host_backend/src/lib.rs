//! A backend as a plugin, on `mirage-runtime`: it provides a tensor type and two kernels; other operations are
//! computed by their definitions, slowly.
//! `tests/host_backend.rs` runs the conformance tests on it, and `crates/mirage-plugin/tests/host/conformance.rs`
//! runs them through the C ABI.
//!
//! A real backend implements [`Engine::generic`] by calls of a library and has more kernels.
//!
//! `cargo build --release -p mirage-example-host-backend`, then
//! `mirage run --size 16x16 --frames 2 --backend host --plugin target/release/libmirage_example_host_backend.so`.

mod array;
mod kernels;

use std::sync::Arc;

use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_ir::{
    DType, Graph, GraphFlag, Params, TensorData, TensorType,
    interp::Tensor,
    target::{Capabilities, Capability, Subject, Support},
};
use mirage_runtime::{Engine, Planned, Slots};

use crate::{array::Array, kernels::Kernels};

/// See the crate.
pub struct HostBackend;

mirage_plugin::export! { backends: [&HostBackend] }

const NAME: &str = "host";

impl Backend for HostBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "the definitions of mirage-ir",
            summary: "computes operations by their definitions, in f64; for comparisons",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        Ok(vec![DeviceInfo {
            index: 0,
            name: "the processor".to_owned(),
            details: "1 thread".to_owned(),
        }])
    }

    fn capabilities(&self, _device: usize) -> Capabilities {
        Capabilities {
            lines: vec![
                Capability::new(Subject::AllOperations, DType::ALL).with_support(Support::Slow),
                Capability::new(Subject::flag(GraphFlag::StaticPlan), DType::ALL),
            ],
        }
    }

    fn tolerance(&self) -> f64 {
        1e-5
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
        Ok(if graph.has_flag(GraphFlag::StaticPlan) {
            let kernels = Arc::new(Kernels);
            Box::new(Planned::compile(&Host, kernels, graph, params)?)
        } else {
            Box::new(Slots::compile(&Host, graph, params)?)
        })
    }
}

/// Tensors in host memory.
#[derive(Clone, Copy)]
struct Host;

impl Engine for Host {
    type Tensor = Array;

    fn name(&self) -> &'static str {
        NAME
    }

    fn holds(&self, _dtype: DType) -> bool {
        true
    }

    fn upload(&self, data: &TensorData) -> Result<Array, String> {
        let tensor = Tensor::from_data(data).map_err(|e| e.to_string())?;
        Array::of(&tensor, data.dtype)
    }

    fn download(&self, array: Array, dtype: DType) -> Result<TensorData, String> {
        array.tensor()?.to_data(dtype).map_err(|e| e.to_string())
    }

    fn zeros(&self, shape: &[usize], dtype: DType) -> Result<Array, String> {
        Array::of(&Tensor::zeros(&TensorType::new(dtype, shape)), dtype)
    }
}

//! A backend on `mirage-runtime`: the engine runs every operation by its definition, and two kernels of its
//! own work on memory that the runtime plans. `tests/it.rs` holds it to what every backend has to do.
//!
//! A backend that is worth having replaces [`Engine::generic`] by calls of a library and has more kernels.
//! To use it from the program, export it as a plugin: docs/writing-a-plugin.md.

mod array;
mod kernels;

use std::sync::Arc;

use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_ir::{
    DType, Graph, GraphFlag, Params, TensorData, TensorType,
    interp::Tensor,
    target::{Capabilities, Capability, Subject, Support},
};
use mirage_runtime::{Align, Engine, Kernel, NodeContext, Planned, Slots};

use crate::{array::Array, kernels::Kernels};

/// See the crate.
pub struct HostBackend;

const NAME: &str = "host";

impl Backend for HostBackend {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "the definitions of mirage-ir",
            summary: "an example: every operation by its definition, on planned memory",
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
        Ok(if graph.has_flag(GraphFlag::StaticPlan) {
            let kernels = Arc::new(Kernels);
            Box::new(Planned::compile(&Definitions, kernels, graph, params)?)
        } else {
            Box::new(Slots::compile(&Definitions, graph, params)?)
        })
    }
}

/// Runs operations by their definitions, in f64, and rounds each result to its dtype.
#[derive(Clone, Copy)]
struct Definitions;

impl Engine for Definitions {
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

    fn generic(&self, cx: &NodeContext<'_>) -> Result<Kernel<Array>, String> {
        let (op, types) = (cx.node.op.clone(), cx.outputs.clone());
        if op.name() == "extern" || op.is::<mirage_ir::ops::Unknown>() {
            return Err(format!("{} has no definition", op.name()));
        }
        // Definitions are about logical row-major tensors.
        let from: Vec<Align> = cx.inputs.iter().map(Align::to_logical).collect();
        let to: Vec<Align> = types.iter().map(Align::from_logical).collect();
        Ok(Box::new(move |args| {
            let operands = from.iter().enumerate();
            let operands: Result<Vec<Tensor>, String> = operands
                .map(|(i, align)| align.view(args.take(i)).tensor())
                .collect();
            let operands = operands?;
            let operands: Vec<&Tensor> = operands.iter().collect();
            let results = op.eval(&operands, &types).map_err(|e| e.to_string())?;
            for (i, (result, ty)) in results.iter().zip(&types).enumerate() {
                args.set(i, to[i].lay_out(Array::of(result, ty.dtype)?));
            }
            Ok(())
        }))
    }
}

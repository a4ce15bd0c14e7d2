//! A backend as a plugin: the reference interpreter, which runs graphs in f64, slowly.
//!
//! `cargo build --release -p mirage-example-backend`, then
//! `mirage run --size 16x16 --frames 2 --backend reference --plugin target/release/libmirage_example_backend.so`.

mod executable;

use mirage_backend::{Backend, BackendError, BackendInfo, CompileOptions, DeviceInfo, Executable};
use mirage_ir::{
    DType, Graph, Params,
    target::{Capabilities, Capability, Subject, Support},
};

use executable::Interpreted;

/// See the crate.
struct Reference;

mirage_plugin::export! { backends: [&Reference] }

const NAME: &str = "reference";

impl Backend for Reference {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: NAME,
            version: env!("CARGO_PKG_VERSION"),
            engine: "the interpreter of mirage-ir",
            summary: "computes a graph by its definition, in f64; for comparisons",
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
            ],
        }
    }

    /// The interpreter is the reference that others are compared with.
    fn tolerance(&self) -> f64 {
        1e-6
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
        params.check(graph)?;
        tracing::debug!(
            graph = graph.name(),
            nodes = graph.nodes().len(),
            "compiled"
        );
        Ok(Box::new(Interpreted::new(graph.clone(), params.clone())))
    }
}

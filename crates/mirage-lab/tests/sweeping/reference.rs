//! The reference interpreter as a backend, in f32 alone.

use std::{
    cell::Cell,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use mirage_backend::{
    Backend, BackendError, BackendInfo, Buffer, CompileOptions, DeviceInfo, Executable,
    MemoryReport, NodeTime, Ports,
};
use mirage_bench::measure::Clock;
use mirage_ir::{
    DType, Graph, Params, TensorData, TensorType,
    cost::graph_cost,
    interp::{self, Tensor},
    target::Capabilities,
};

/// The interpreter; refuses graphs in f16, as a backend may.
pub(crate) struct Reference;

struct Ready {
    graph: Graph,
    params: Params,
    ports: Ports,
}

impl Backend for Reference {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            name: "reference",
            version: "1",
            engine: "mirage-ir",
            summary: "the definition in f64",
        }
    }

    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError> {
        Ok(Vec::new())
    }

    fn capabilities(&self, _device: usize) -> Capabilities {
        Capabilities::default()
    }

    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        _options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError> {
        if graph.values().iter().any(|v| v.ty.dtype == DType::F16) {
            return Err(BackendError::Argument("there is no f16 here".to_owned()));
        }
        Ok(Box::new(Ready {
            graph: graph.clone(),
            params: params.clone(),
            ports: Ports::of(graph),
        }))
    }
}

impl Executable for Ready {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        let tensor = Tensor::from_data(data).map_err(|e| BackendError::Argument(e.to_string()))?;
        Ok(Buffer::new(ty.clone(), tensor))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        let tensor: &Tensor = buffer.content().expect("it is ours");
        let data = tensor.to_data(buffer.ty().dtype);
        data.map_err(|e| BackendError::Argument(e.to_string()))
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        let inputs: Vec<Tensor> = inputs
            .iter()
            .map(|b| b.content::<Tensor>().expect("it is ours").clone())
            .collect();
        let run = interp::run(&self.graph, &self.params, &inputs, &[])
            .map_err(|e| BackendError::Argument(e.to_string()))?;
        let outputs = self.ports.outputs.iter().zip(run.outputs);
        Ok(outputs.map(|(p, t)| Buffer::new(p.ty.clone(), t)).collect())
    }

    fn profile(&mut self, _: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        Err(BackendError::Argument("not here".to_owned()))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        Err(BackendError::Argument(format!("no state {name}")))
    }

    fn import_state(&mut self, name: &str, _: &TensorData) -> Result<(), BackendError> {
        Err(BackendError::Argument(format!("no state {name}")))
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    fn memory(&self) -> MemoryReport {
        MemoryReport {
            planned_peak_bytes: graph_cost(&self.graph).peak_activation_bytes,
            ..MemoryReport::default()
        }
    }

    fn notes(&self) -> &[String] {
        &[]
    }
}

/// A clock that goes on by a step whenever it is read, so that no test depends on the machine.
pub(crate) struct Steps {
    now: Cell<Duration>,
    step: Duration,
}

impl Steps {
    pub(crate) fn new(step: Duration) -> Self {
        Steps {
            now: Cell::new(Duration::ZERO),
            step,
        }
    }

    pub(crate) fn go(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }
}

impl Clock for Steps {
    fn now(&self) -> Duration {
        self.go(self.step);
        self.now.get()
    }
}

/// Never stops.
pub(crate) fn on() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A real clock's time is never zero; samples of the interpreter are real.
pub(crate) fn real() -> impl Clock {
    struct Real(Instant);
    impl Clock for Real {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }
    }
    Real(Instant::now())
}

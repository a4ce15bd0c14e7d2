//! The executable: interprets a graph.

use std::time::{Duration, Instant};

use mirage_backend::{
    BackendError, Buffer, Executable, MemoryReport, NodeTime, PortInfo, Ports, check_data,
};
use mirage_ir::{
    Graph, Params, TensorData, TensorType,
    cost::graph_cost,
    interp::{self, Tensor},
};

use crate::NAME;

/// A graph, its parameters and its states. A buffer holds a [`Tensor`].
pub(crate) struct Interpreted {
    graph: Graph,
    params: Params,
    ports: Ports,
    states: Vec<Tensor>,
    notes: Vec<String>,
}

fn failed(message: impl ToString) -> BackendError {
    BackendError::Engine {
        backend: NAME.to_owned(),
        message: message.to_string(),
    }
}

impl Interpreted {
    pub(crate) fn new(graph: Graph, params: Params) -> Self {
        let ports = Ports::of(&graph);
        Interpreted {
            states: ports.states.iter().map(|s| Tensor::zeros(&s.ty)).collect(),
            notes: vec!["computes in f64 for all dtypes, slowly".to_owned()],
            graph,
            params,
            ports,
        }
    }

    /// Runs once, and calls `observe` with each node that was run.
    fn run(
        &mut self,
        inputs: &[Buffer],
        mut observe: impl FnMut(mirage_ir::NodeId),
    ) -> Result<Vec<Buffer>, BackendError> {
        self.ports.check_inputs::<Tensor>(inputs)?;
        let inputs: Vec<Tensor> = inputs
            .iter()
            .filter_map(|buffer| buffer.content::<Tensor>().cloned())
            .collect();
        let run = interp::run_values(&self.graph, &self.params, &inputs, &self.states, |id, _| {
            observe(id);
        })
        .map_err(failed)?;
        let rounded = |tensors: Vec<Tensor>, ports: &[PortInfo]| {
            let tensors = tensors.into_iter().zip(ports);
            tensors
                .map(|(tensor, port)| tensor.rounded(port.ty.dtype).map_err(failed))
                .collect::<Result<Vec<Tensor>, _>>()
        };
        let outputs = rounded(run.outputs, &self.ports.outputs)?;
        self.states = rounded(run.states, &self.ports.states)?;
        let outputs = outputs.into_iter().zip(&self.ports.outputs);
        Ok(outputs
            .map(|(tensor, port)| Buffer::new(port.ty.clone(), tensor))
            .collect())
    }
}

impl Executable for Interpreted {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        check_data(data, ty, "the tensor")?;
        let tensor = Tensor::from_data(data).map_err(failed)?;
        Ok(Buffer::new(ty.clone(), tensor))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        match buffer.content::<Tensor>() {
            Some(tensor) => tensor.to_data(buffer.ty().dtype).map_err(failed),
            None => Err(BackendError::Argument(format!(
                "{buffer:?} is on another backend"
            ))),
        }
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        self.run(inputs, |_| {})
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        let (mut times, began) = (Vec::new(), Instant::now());
        let mut last = Duration::ZERO;
        let outputs = self.run(inputs, |node| {
            let now = began.elapsed();
            times.push(NodeTime {
                node,
                start: last,
                time: now - last,
            });
            last = now;
        })?;
        Ok((outputs, times))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        let i = self.ports.state(name)?;
        let dtype = self.ports.states[i].ty.dtype;
        self.states[i].to_data(dtype).map_err(failed)
    }

    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError> {
        let i = self.ports.state(name)?;
        check_data(data, &self.ports.states[i].ty, &format!("state `{name}`"))?;
        self.states[i] = Tensor::from_data(data).map_err(failed)?;
        Ok(())
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        self.states = self
            .ports
            .states
            .iter()
            .map(|s| Tensor::zeros(&s.ty))
            .collect();
        Ok(())
    }

    fn memory(&self) -> MemoryReport {
        MemoryReport {
            weight_bytes: self
                .params
                .iter()
                .map(|(_, data)| data.bytes().len() as u64)
                .sum(),
            state_bytes: self.ports.state_bytes(),
            planned_peak_bytes: graph_cost(&self.graph).peak_activation_bytes,
            held_bytes: None,
        }
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

//! Runs a forward pass on a backend or the reference interpreter, and repeats it on the same inputs.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, Buffer, Executable};
use mirage_ir::{
    Graph, Params, TensorData,
    interp::{self, Tensor},
};
use mirage_stream::{MemoryReportBytes, Prepared};
use serde::Serialize;

use crate::{LabError, Resident, Result};

/// The result of a forward pass.
pub struct Forward {
    /// The outputs by name.
    pub outputs: Vec<(String, TensorData)>,
    /// Compile time.
    pub compile: Duration,
    /// Time of the forward pass.
    pub time: Duration,
    /// The backend and engine.
    pub engine: String,
    /// Notes of the backend, such as fallbacks.
    pub notes: Vec<String>,
    /// Memory in use.
    pub memory: Option<HeldMemory>,
    /// Repeats the forward pass; `None` for the reference interpreter.
    pub again: Option<Again>,
}

/// Memory of the executable and the process after the forward pass, in bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HeldMemory {
    /// The executable.
    #[serde(flatten)]
    pub executable: MemoryReportBytes,
    /// The process; `None` where the platform does not report it.
    pub resident: Option<Resident>,
}

/// An executable with its inputs and outputs, to run it again.
pub struct Again {
    executable: Box<dyn Executable>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Again {
    /// Runs again into the same buffers and returns the time.
    ///
    /// # Errors
    /// If the backend fails.
    pub fn run(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.executable
            .execute_into(&self.inputs, &mut self.outputs)?;
        self.executable.synchronize()?;
        Ok(start.elapsed())
    }
}

/// Runs a forward pass on a backend. Inputs are cast to the dtypes of the executable.
///
/// # Errors
/// If an input is missing or the backend fails.
pub fn on_backend(
    prepared: Prepared,
    backend: &dyn Backend,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let mut executable = prepared.executable;
    let mut buffers = Vec::with_capacity(inputs.len());
    for port in executable.inputs() {
        let data = find(inputs, &port.name)?;
        let data = match data.dtype == port.ty.dtype {
            true => data.clone(),
            false => Tensor::from_data(data).and_then(|t| t.to_data(port.ty.dtype))?,
        };
        buffers.push(executable.upload(&data, &port.ty)?);
    }
    let start = Instant::now();
    let results = executable.execute(&buffers)?;
    executable.synchronize()?;
    let time = start.elapsed();
    let outputs = executable
        .outputs()
        .iter()
        .zip(&results)
        .map(|(port, buffer)| Ok((port.name.to_string(), executable.download(buffer)?)));
    let outputs = outputs.collect::<Result<_>>()?;
    Ok(Forward {
        outputs,
        compile: prepared.compile_time,
        time,
        engine: format!("{} ({})", backend.info().name, backend.info().engine),
        notes: executable.notes().to_vec(),
        memory: Some(HeldMemory {
            executable: executable.memory().into(),
            resident: Resident::read(),
        }),
        again: Some(Again {
            executable,
            inputs: buffers,
            outputs: results,
        }),
    })
}

/// Runs a forward pass with the reference interpreter in f64; results are rounded to the outputs' dtypes.
///
/// # Errors
/// If an input is missing or the interpreter fails.
pub fn by_definition(
    graph: &Graph,
    params: &Params,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let tensors = graph
        .inputs()
        .iter()
        .map(|port| Tensor::from_data(find(inputs, &port.name)?).map_err(LabError::from));
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let run = interp::run(graph, params, &tensors, &[])?;
    let time = start.elapsed();
    let outputs = graph
        .outputs()
        .iter()
        .zip(&run.outputs)
        .map(|(port, tensor)| {
            Ok((
                port.name.to_string(),
                tensor.to_data(graph.ty(port.value).dtype)?,
            ))
        });
    Ok(Forward {
        outputs: outputs.collect::<Result<_>>()?,
        compile: Duration::ZERO,
        time,
        engine: "the f64 reference interpreter".to_owned(),
        notes: Vec::new(),
        memory: None,
        again: None,
    })
}

fn find<'a>(tensors: &'a [(String, TensorData)], name: &str) -> Result<&'a TensorData> {
    let found = tensors.iter().find(|(n, _)| n == name);
    found.map(|(_, data)| data).ok_or_else(|| {
        LabError::Failed(format!(
            "`{name}` is an input of the graph, but not of the model"
        ))
    })
}

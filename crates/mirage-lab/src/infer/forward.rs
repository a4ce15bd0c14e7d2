//! One forward pass, on a backend or by definition, and further ones on the same inputs.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, Buffer, Executable};
use mirage_ir::{
    Graph, Params, TensorData,
    interp::{self, Tensor},
};
use mirage_stream::{MemoryReportBytes, Prepared};
use serde::Serialize;

use crate::{LabError, Resident, Result};

/// The outputs of a forward pass by name, and how long it took.
pub struct Forward {
    /// The outputs by name.
    pub outputs: Vec<(String, TensorData)>,
    /// How long the backend compiled.
    pub compile: Duration,
    /// How long it took.
    pub time: Duration,
    /// What computed it.
    pub engine: String,
    /// What the backend says of fallbacks.
    pub notes: Vec<String>,
    /// What is held.
    pub memory: Option<HeldMemory>,
    /// `None` by definition.
    pub again: Option<Again>,
}

/// Bytes that an executable holds, and the process with it, after the forward pass.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HeldMemory {
    /// The executable.
    #[serde(flatten)]
    pub executable: MemoryReportBytes,
    /// The process; none where the system does not tell.
    pub resident: Option<Resident>,
}

/// An executable with the inputs that it ran on and the outputs that it gave, to run once more.
pub struct Again {
    executable: Box<dyn Executable>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Again {
    /// Runs once more, into the same buffers, and gives the time.
    ///
    /// # Errors
    /// What the backend says.
    pub fn run(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.executable
            .execute_into(&self.inputs, &mut self.outputs)?;
        self.executable.synchronize()?;
        Ok(start.elapsed())
    }
}

/// On the backend. A pass may have changed the inputs' dtypes.
///
/// # Errors
/// An input that is missing; what the backend says.
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

/// By the definition of every operation, in f64; the results are rounded to the outputs' dtypes.
///
/// # Errors
/// An input that is missing; what the interpreter says.
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
            "`{name}` is an input of the graph but not of the model"
        ))
    })
}

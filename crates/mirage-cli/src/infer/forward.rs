//! One forward pass, on a backend or by definition, and further ones on the same inputs.

use std::time::{Duration, Instant};

use mirage_backend::{Backend, Buffer, Executable};
use mirage_ir::{
    Graph, Params, TensorData,
    interp::{self, Tensor},
};

use super::report::MemoryJson;
use crate::{
    error::{CliError, Ending, Result},
    resident::Resident,
};

/// The outputs of a forward pass by name, and how long it took.
pub(super) struct Forward {
    pub(super) outputs: Vec<(String, TensorData)>,
    pub(super) compile: Duration,
    pub(super) time: Duration,
    pub(super) engine: String,
    pub(super) notes: Vec<String>,
    pub(super) memory: Option<MemoryJson>,
    /// `None` by definition.
    pub(super) again: Option<Again>,
}

/// An executable with the inputs that it ran on and the outputs that it gave, to run once more.
pub(super) struct Again {
    executable: Box<dyn Executable>,
    inputs: Vec<Buffer>,
    outputs: Vec<Buffer>,
}

impl Again {
    /// Runs once more, into the same buffers, and gives the time.
    pub(super) fn run(&mut self) -> Result<Duration> {
        let start = Instant::now();
        self.executable
            .execute_into(&self.inputs, &mut self.outputs)
            .failure()?;
        self.executable.synchronize().failure()?;
        Ok(start.elapsed())
    }
}

/// On the backend. A pass may have changed the inputs' dtypes.
pub(super) fn on_backend(
    prepared: mirage_stream::Prepared,
    backend: &dyn Backend,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let mut executable = prepared.executable;
    let mut buffers = Vec::with_capacity(inputs.len());
    for port in executable.inputs() {
        let data = find(inputs, &port.name)?;
        let data = match data.dtype == port.ty.dtype {
            true => data.clone(),
            false => Tensor::from_data(data)
                .and_then(|t| t.to_data(port.ty.dtype))
                .failure()?,
        };
        buffers.push(executable.upload(&data, &port.ty).failure()?);
    }
    let start = Instant::now();
    let results = executable.execute(&buffers).failure()?;
    executable.synchronize().failure()?;
    let time = start.elapsed();
    let outputs = executable
        .outputs()
        .iter()
        .zip(&results)
        .map(|(port, buffer)| {
            Ok((
                port.name.to_string(),
                executable.download(buffer).failure()?,
            ))
        });
    let outputs = outputs.collect::<Result<_>>()?;
    Ok(Forward {
        outputs,
        compile: prepared.compile_time,
        time,
        engine: format!("{} ({})", backend.info().name, backend.info().engine),
        notes: executable.notes().to_vec(),
        memory: Some(MemoryJson {
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
pub(super) fn by_definition(
    graph: &Graph,
    params: &Params,
    inputs: &[(String, TensorData)],
) -> Result<Forward> {
    let tensors = graph
        .inputs()
        .iter()
        .map(|port| Tensor::from_data(find(inputs, &port.name)?).failure());
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let run = interp::run(graph, params, &tensors, &[]).failure()?;
    let time = start.elapsed();
    let outputs = graph
        .outputs()
        .iter()
        .zip(&run.outputs)
        .map(|(port, tensor)| {
            Ok((
                port.name.to_string(),
                tensor.to_data(graph.ty(port.value).dtype).failure()?,
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
        CliError::Failure(format!(
            "the graph has an input `{name}` that the model has not"
        ))
    })
}

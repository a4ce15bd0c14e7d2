//! Executables that record an execution once as a CUDA graph and replay it with one call to the driver for
//! each frame.
//!
//! Inputs, states and outputs have buffers at fixed addresses. An execution copies the inputs there, replays,
//! and copies the outputs. The recording ends by copying the states' new contents to the states. All of it
//! happens on one stream, on any thread.

use std::time::Instant;

use burn_backend::{Backend as _, BackendGraph, StreamId};
use burn_cubecl::{Cube, CubeDevice, tensor::CubeTensor};
use mirage_backend::{
    BackendError, Buffer, Executable, MemoryReport, NodeClock, NodeTime, PortInfo, Ports,
    check_data,
};
use mirage_burn::{Engine, Executor, Tensor};
use mirage_ir::{Graph, Params, TensorData, TensorType};

use crate::{
    backend::failed,
    kernels::{
        copy::copy,
        device::{empty, in_sequence},
    },
    warm_up::{sample, warm_up},
};

/// Executions before the recording: the first compiles and tunes kernels; afterwards the engine has allocated all
/// memory that an execution needs.
const WARM_UPS: usize = 3;

/// A recorded graph.
pub(crate) struct Recorded {
    executor: Executor<Cube>,
    device: CubeDevice,
    stream: StreamId,
    ports: Ports,
    inputs: Vec<CubeTensor>,
    states: Vec<CubeTensor>,
    outputs: Vec<CubeTensor>,
    recording: BackendGraph<Cube>,
    notes: Vec<String>,
}

impl Recorded {
    /// Compiles a verified graph and records an execution of it on this stream.
    ///
    /// # Errors
    /// If the graph cannot be compiled or recorded; the message says why. There is no fallback.
    pub(crate) fn compile(
        engine: &Engine<Cube>,
        graph: &Graph,
        params: &Params,
        stream: StreamId,
    ) -> Result<Self, BackendError> {
        stream.executes(|| {
            let executor = Executor::compile(engine, graph, params)?;
            let ports = Ports::of(graph);
            let samples = |ports: &[PortInfo]| -> Result<Vec<CubeTensor>, BackendError> {
                let one = |p: &PortInfo| fixed(executor.upload(&sample(&p.ty)?, &p.ty)?);
                ports.iter().map(one).collect()
            };
            let (inputs, states) = (samples(&ports.inputs)?, samples(&ports.states)?);
            let mut notes = executor.notes().to_vec();
            notes.push("a frame is one CUDA graph, recorded at compile".to_owned());
            let mut executor = executor;
            warm_up(&mut executor, graph)?;
            let (recording, outputs) =
                record(&mut executor, engine.device(), &ports, &inputs, &states)?;
            let mut recorded = Recorded {
                executor,
                device: engine.device().clone(),
                stream,
                ports,
                inputs,
                states,
                outputs,
                recording,
                notes,
            };
            recorded.reset_states()?;
            Ok(recorded)
        })
    }

    /// Copies the inputs and replays the recording.
    #[allow(unsafe_code)]
    fn replay(&mut self, inputs: &[Buffer]) -> Result<(), BackendError> {
        self.write(inputs)?;
        // SAFETY: every tensor that the recording reads or writes is held by this value or by the
        // executor in it, or pinned by the engine; nothing else writes them, and all that this value
        // does happens on the stream of the recording.
        let replayed = unsafe { Cube::graph_replay(&self.device, &self.recording) };
        replayed.map_err(|e| failed(format!("the CUDA graph failed: {e:?}")))
    }

    fn write(&self, inputs: &[Buffer]) -> Result<(), BackendError> {
        self.ports.check_inputs::<Tensor<Cube>>(inputs)?;
        for (buffer, place) in inputs.iter().zip(&self.inputs) {
            if let Some(tensor) = buffer.content::<Tensor<Cube>>() {
                copy(&in_sequence(tensor.clone()), place);
            }
        }
        Ok(())
    }

    fn state(&self, name: &str) -> Result<(&CubeTensor, &TensorType), BackendError> {
        let i = self.ports.state(name)?;
        Ok((&self.states[i], &self.ports.states[i].ty))
    }
}

/// Records one execution, after warming up.
fn record(
    executor: &mut Executor<Cube>,
    device: &CubeDevice,
    ports: &Ports,
    inputs: &[CubeTensor],
    states: &[CubeTensor],
) -> Result<(BackendGraph<Cube>, Vec<CubeTensor>), BackendError> {
    let mut run = || -> Result<Vec<CubeTensor>, BackendError> {
        let (inputs, states_in) = (
            tensors(inputs, &ports.inputs),
            tensors(states, &ports.states),
        );
        let (outputs, next) = executor.run_once(inputs, states_in)?;
        // An output or a new state may be an old state, which will be overwritten.
        let outputs: Vec<CubeTensor> = outputs.into_iter().map(own).collect();
        let next: Vec<CubeTensor> = next.into_iter().map(own).collect();
        next.iter()
            .zip(states)
            .for_each(|(next, state)| copy(next, state));
        Ok(outputs)
    };
    // Tuning times kernels on the device, which may fail on a stream that is being recorded.
    drop(run()?);
    let step = |what: &str, result: Result<(), burn_backend::ExecutionError>| {
        result.map_err(|e| {
            failed(format!(
                "a frame cannot be recorded as a CUDA graph: {what}: {e:?}"
            ))
        })
    };
    step("preparing", Cube::graph_prepare(device))?;
    for _ in 0..WARM_UPS {
        let held = run()?;
        step("warming up", Cube::sync(device))?;
        drop(held);
    }
    step("starting", Cube::graph_start_capture(device))?;
    let outputs = run();
    // The recording must end, even after an error.
    let recording = Cube::graph_stop_capture(device);
    let outputs = outputs?;
    let recording = recording.map_err(|e| {
        failed(format!(
            "a frame cannot be recorded as a CUDA graph: {e:?}; without the graph attribute `static_plan` \
             it runs operation by operation"
        ))
    })?;
    Ok((recording, outputs))
}

fn zeros_of(ty: &TensorType) -> TensorData {
    let zeros = TensorData::new(ty.dtype, ty.shape.clone(), vec![0; ty.bytes()]);
    zeros.unwrap_or_else(|_| unreachable!("a type has as many bytes as it says"))
}

/// The places as tensors of the kinds that the ports' types say.
fn tensors(places: &[CubeTensor], ports: &[PortInfo]) -> Vec<Tensor<Cube>> {
    let pairs = places.iter().zip(ports);
    pairs.map(|(t, p)| kind(&p.ty, t.clone())).collect()
}

/// The elements in memory of their own.
fn own(tensor: Tensor<Cube>) -> CubeTensor {
    let tensor = in_sequence(tensor);
    let copied = empty(&tensor, &tensor.meta.shape().to_vec(), tensor.dtype);
    copy(&tensor, &copied);
    copied
}

/// The tensor of a buffer, in sequence: an input's or a state's place.
fn fixed(buffer: Buffer) -> Result<CubeTensor, BackendError> {
    match buffer.content::<Tensor<Cube>>() {
        Some(tensor) => Ok(in_sequence(tensor.clone())),
        None => Err(failed("a buffer is on another backend".to_owned())),
    }
}

impl Executable for Recorded {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        self.stream.executes(|| self.executor.upload(data, ty))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        self.stream.executes(|| self.executor.download(buffer))
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        self.stream.executes(|| {
            self.replay(inputs)?;
            let outputs = self.outputs.iter().zip(&self.ports.outputs);
            let copies = outputs.map(|(from, port)| {
                let shape = port.ty.physical_shape();
                let own = empty(from, &shape, from.dtype);
                copy(from, &own);
                Buffer::new(port.ty.clone(), kind(&port.ty, own))
            });
            Ok(copies.collect())
        })
    }

    fn execute_into(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
    ) -> Result<(), BackendError> {
        self.ports.check_outputs::<Tensor<Cube>>(outputs)?;
        self.stream.executes(|| {
            self.replay(inputs)?;
            for ((buffer, from), port) in outputs
                .iter_mut()
                .zip(&self.outputs)
                .zip(&self.ports.outputs)
            {
                if let Some(tensor) = buffer.content_mut::<Tensor<Cube>>() {
                    let own = in_sequence(tensor.clone());
                    copy(from, &own);
                    *tensor = kind(&port.ty, own);
                }
            }
            Ok(())
        })
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        self.stream.executes(|| {
            let began = Instant::now();
            self.write(inputs)?;
            self.synchronize()?;
            let (inputs, states) = (
                tensors(&self.inputs, &self.ports.inputs),
                tensors(&self.states, &self.ports.states),
            );
            let before = began.elapsed();
            let ((outputs, next), mut times) = self.executor.profile_once(inputs, states)?;
            let outputs = outputs.into_iter().zip(&self.ports.outputs);
            let outputs = outputs.map(|(t, p)| Buffer::new(p.ty.clone(), kind(&p.ty, own(t))));
            let outputs: Vec<Buffer> = outputs.collect();
            let next: Vec<CubeTensor> = next.into_iter().map(own).collect();
            next.iter()
                .zip(&self.states)
                .for_each(|(next, state)| copy(next, state));
            times
                .iter_mut()
                .for_each(|t: &mut NodeTime| t.start += before);
            Ok((outputs, times))
        })
    }

    fn node_clock(&self) -> NodeClock {
        self.executor.node_clock()
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        self.stream.executes(|| self.executor.synchronize())
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        let (state, ty) = self.state(name)?;
        let buffer = Buffer::new(ty.clone(), kind(ty, state.clone()));
        self.download(&buffer)
    }

    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError> {
        let (state, ty) = self.state(name)?;
        check_data(data, ty, &format!("state `{name}`"))?;
        self.stream.executes(|| {
            copy(&fixed(self.executor.upload(data, ty)?)?, state);
            Ok(())
        })
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        for i in 0..self.ports.states.len() {
            let PortInfo { name, ty } = self.ports.states[i].clone();
            self.import_state(&name, &zeros_of(&ty))?;
        }
        Ok(())
    }

    fn memory(&self) -> MemoryReport {
        self.executor.memory()
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// A tensor of the kind that its type says.
fn kind(ty: &TensorType, tensor: CubeTensor) -> Tensor<Cube> {
    if ty.dtype.is_float() {
        Tensor::Float(tensor)
    } else if ty.dtype.is_int() {
        Tensor::Int(tensor)
    } else {
        Tensor::Bool(tensor)
    }
}

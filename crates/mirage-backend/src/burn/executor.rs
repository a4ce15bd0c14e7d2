//! A compiled graph on a burn backend.

use std::time::{Duration, Instant};

use burn_backend::Backend;
use mirage_ir::{
    Graph, NodeId, Params, Scalar, TensorData, TensorType, ValueId, cost::graph_cost, ops::Extern,
};

use super::{
    Align, Engine, Instruction, Prepared, Storage, Tensor,
    call::Bodies,
    catch::catch,
    compile::{Compiled, compile},
    program::{Observer, run},
    stopwatch::{HostStopwatch, Stopwatch},
};
use crate::{
    BackendError, Buffer, Executable, MemoryReport, NodeClock, NodeTime, PortInfo, Ports,
    check_data,
};

/// A state: what it reads from, what it becomes, and its content.
struct StateSlot<B: Backend> {
    reads: usize,
    becomes: usize,
    /// From the order of the new content's type to that of the state's, which differ at most in
    /// dimensions of size 1.
    align: Align,
    content: Tensor<B>,
}

/// What a pass gives: the outputs, and what the states become.
pub type Passed<B> = (Vec<Tensor<B>>, Vec<Tensor<B>>);

/// A graph compiled for any burn backend.
pub struct Executor<B: Backend> {
    engine: Engine<B>,
    storage: Storage,
    instructions: Vec<Instruction<B>>,
    slots: Vec<Option<Tensor<B>>>,
    weights: usize,
    input_slots: Vec<usize>,
    output_slots: Vec<usize>,
    state_slots: Vec<StateSlot<B>>,
    ports: Ports,
    memory: MemoryReport,
    notes: Vec<String>,
}

impl<B: Backend> Executor<B> {
    /// Compiles a verified graph: every node is resolved to an instruction, weights are computed
    /// and converted once. The parameters are not held afterwards.
    pub fn compile(
        engine: &Engine<B>,
        graph: &Graph,
        params: &Params,
    ) -> Result<Self, BackendError> {
        let mut prepared = Prepared::new(engine, graph, params)?;
        let mut bodies = Bodies::new(params);
        let Compiled {
            instructions,
            slots,
            weights,
            slot_of,
        } = compile(&mut prepared, &mut bodies)?;
        let ports = Ports::of(graph);
        let flat = prepared.graph();
        let memory = MemoryReport {
            weight_bytes: prepared.weight_bytes() + bodies.weight_bytes(),
            state_bytes: ports.state_bytes(),
            planned_peak_bytes: graph_cost(flat).peak_activation_bytes,
            held_bytes: None,
        };
        let notes = notes(engine, graph, flat);
        let storage = prepared.storage();
        let slot = |v: ValueId| slot_of[v.index()];
        let mut executor = Executor {
            engine: engine.clone(),
            storage,
            instructions,
            slots,
            weights,
            input_slots: flat.inputs().iter().map(|p| slot(p.value)).collect(),
            output_slots: flat.outputs().iter().map(|p| slot(p.value)).collect(),
            state_slots: Vec::new(),
            ports,
            memory,
            notes,
        };
        for state in flat.states() {
            let ty = flat.ty(state.input);
            executor.state_slots.push(StateSlot {
                reads: slot(state.input),
                becomes: slot(state.output),
                align: Align::new(flat.ty(state.output), &ty.order),
                content: executor.zeros(ty)?,
            });
        }
        Ok(executor)
    }

    fn zeros(&self, ty: &TensorType) -> Result<Tensor<B>, BackendError> {
        let shape = ty.physical_shape();
        let (storage, device) = (&self.storage, &self.engine.device);
        catch(|| Tensor::full(&shape, Scalar::Int(0), ty.dtype, storage, device))
            .map_err(|e| self.failed(e))
    }

    fn failed(&self, message: String) -> BackendError {
        BackendError::Engine {
            backend: self.engine.name.to_owned(),
            message,
        }
    }

    fn place(
        &self,
        data: &TensorData,
        ty: &TensorType,
        what: &str,
    ) -> Result<Tensor<B>, BackendError> {
        check_data(data, ty, what)?;
        let (storage, device) = (&self.storage, &self.engine.device);
        if !storage.holds(ty.dtype) {
            return Err(BackendError::Argument(format!(
                "{what}: the device has no {}",
                ty.dtype
            )));
        }
        catch(|| Align::from_logical(ty).lay_out(Tensor::from_data(data, storage, device)))
            .map_err(|e| self.failed(e))
    }

    fn fetch(&self, tensor: &Tensor<B>, ty: &TensorType) -> Result<TensorData, BackendError> {
        catch(|| Align::to_logical(ty).view(tensor.clone()).to_data(ty.dtype))
            .and_then(|r| r)
            .map_err(|e| self.failed(e))
    }

    fn execute_with(
        &mut self,
        inputs: &[Buffer],
        times: Option<&mut Vec<NodeTime>>,
    ) -> Result<Vec<Buffer>, BackendError> {
        self.ports.check_inputs::<Tensor<B>>(inputs)?;
        let inputs = inputs
            .iter()
            .filter_map(|b| b.content::<Tensor<B>>().cloned());
        let states = self.state_slots.iter().map(|s| s.content.clone()).collect();
        let (outputs, states) = self.pass(inputs.collect(), states, times)?;
        for (state, content) in self.state_slots.iter_mut().zip(states) {
            state.content = content;
        }
        let outputs = outputs.into_iter().zip(&self.ports.outputs);
        Ok(outputs
            .map(|(value, port)| Buffer::new(port.ty.clone(), value))
            .collect())
    }

    /// Runs once on these operands, of the physical shapes of the inputs' and the states' types, and
    /// gives the outputs and what the states become; the executor's own states stay as they are. For
    /// a backend that records executions. With `times`, each node is timed as
    /// [`Executable::profile`] does, its start counted from the pass's.
    ///
    /// # Errors
    /// The engine failed; the message names the node.
    pub fn pass(
        &mut self,
        inputs: Vec<Tensor<B>>,
        states: Vec<Tensor<B>>,
        times: Option<&mut Vec<NodeTime>>,
    ) -> Result<Passed<B>, BackendError> {
        for (&slot, input) in self.input_slots.iter().zip(inputs) {
            self.slots[slot] = Some(input);
        }
        for (state, content) in self.state_slots.iter().zip(states) {
            self.slots[state.reads] = Some(content);
        }
        let device = &self.engine.device;
        let sync = || B::sync(device).map_err(|e| format!("cannot synchronize: {e:?}"));
        let (instructions, slots) = (&self.instructions, &mut self.slots);
        let began = Instant::now();
        let mut record = times.map(|times| {
            move |instruction: &Instruction<B>, start: Instant, time: Duration| {
                add(times, instruction.node, start - began, time);
            }
        });
        let watch = || -> Box<dyn Stopwatch + '_> {
            match self.engine.kernels.stopwatch() {
                Some(watch) => watch,
                None => Box::new(HostStopwatch::new(sync)),
            }
        };
        let mut observed = record.as_mut().map(|r| (r as Observer<'_, B>, watch()));
        let mut result = Ok(());
        self.engine
            .kernels
            .run(&mut || result = run(instructions, slots, observed.take()));
        let finished = match result {
            Ok(()) => self.results(),
            Err(message) => Err(self.failed(message)),
        };
        self.slots[self.weights..].fill(None);
        finished
    }

    /// Outputs and new states out of the slots of a finished run.
    fn results(&self) -> Result<Passed<B>, BackendError> {
        let value = |slot: usize| {
            self.slots[slot]
                .clone()
                .unwrap_or_else(|| unreachable!("a result outlives the run"))
        };
        let outputs = self.output_slots.iter().map(|&s| value(s)).collect();
        let states = catch(|| {
            self.state_slots
                .iter()
                .map(|s| s.align.view(value(s.becomes)))
                .collect()
        })
        .map_err(|e| self.failed(e))?;
        Ok((outputs, states))
    }
}

/// Notes the time of an instruction. Those of a region's body follow one another and count as one node.
fn add(times: &mut Vec<NodeTime>, node: NodeId, start: Duration, time: Duration) {
    match times.last_mut().filter(|last| last.node == node) {
        Some(last) => last.time += time,
        None => times.push(NodeTime { node, start, time }),
    }
}

/// The backend's notes, and where operations run that only burn knows.
fn notes<B: Backend>(engine: &Engine<B>, graph: &Graph, flat: &Graph) -> Vec<String> {
    let mut notes = engine.kernels.notes(graph);
    let mut names: Vec<&str> = flat
        .nodes()
        .iter()
        .filter_map(|n| n.op.get::<Extern>())
        .map(|e| e.name.as_str())
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    if let Some(runner) = engine.kernels.externs().filter(|_| count > 0) {
        notes.push(format!(
            "{count} operations run {}: {}",
            runner.place(),
            names.join(", ")
        ));
    }
    notes
}

impl<B: Backend> Executable for Executor<B> {
    fn inputs(&self) -> &[PortInfo] {
        &self.ports.inputs
    }

    fn outputs(&self) -> &[PortInfo] {
        &self.ports.outputs
    }

    fn states(&self) -> &[PortInfo] {
        &self.ports.states
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        Ok(Buffer::new(ty.clone(), self.place(data, ty, "the tensor")?))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        match buffer.content() {
            Some(tensor) => self.fetch(tensor, buffer.ty()),
            None => Err(BackendError::Argument(format!(
                "{buffer:?} lies on another backend"
            ))),
        }
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        self.execute_with(inputs, None)
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        let began = Instant::now();
        let mut times = Vec::with_capacity(self.instructions.len());
        self.synchronize()?;
        let before = began.elapsed();
        let outputs = self.execute_with(inputs, Some(&mut times))?;
        times.iter_mut().for_each(|t| t.start += before);
        Ok((outputs, times))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        catch(|| B::sync(&self.engine.device))
            .and_then(|r| r.map_err(|e| format!("cannot synchronize: {e:?}")))
            .map_err(|e| self.failed(e))
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        let i = self.ports.state(name)?;
        self.fetch(&self.state_slots[i].content, &self.ports.states[i].ty)
    }

    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError> {
        let i = self.ports.state(name)?;
        let ty = self.ports.states[i].ty.clone();
        self.state_slots[i].content = self.place(data, &ty, &format!("state `{name}`"))?;
        Ok(())
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        for i in 0..self.ports.states.len() {
            self.state_slots[i].content = self.zeros(&self.ports.states[i].ty)?;
        }
        Ok(())
    }

    fn node_clock(&self) -> NodeClock {
        match self.engine.kernels.stopwatch() {
            Some(_) => NodeClock::Device,
            None => NodeClock::Host,
        }
    }

    fn memory(&self) -> MemoryReport {
        self.memory
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

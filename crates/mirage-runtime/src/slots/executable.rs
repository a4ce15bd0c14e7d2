//! A graph compiled to slots.

use mirage_backend::{
    BackendError, Buffer, Executable, MemoryReport, NodeClock, NodeTime, Ports, check_data,
};
use mirage_ir::{Graph, Params, TensorData, TensorType, ValueId, cost::graph_cost};

use super::{
    Instruction,
    compile::{CompiledProgram, compile},
    run,
};
use crate::{
    Align, Engine, Prepared,
    bodies::Bodies,
    catch,
    run::{Timed, Times},
    stopwatch::HostStopwatch,
};

/// A state: its input, its new content's value, and its content.
struct StateSlot<T> {
    reads: usize,
    becomes: usize,
    /// The conversion from the order of the new content's type to that of the state's, which differ at most
    /// in dimensions of size 1.
    align: Align,
    content: T,
}

/// The results of a run: the outputs and the states' new contents.
pub type Results<T> = (Vec<T>, Vec<T>);

/// A graph compiled for an engine that allocates its tensors.
pub struct Slots<E: Engine> {
    engine: E,
    instructions: Vec<Instruction<E::Tensor>>,
    slots: Vec<Option<E::Tensor>>,
    weights: usize,
    input_slots: Vec<usize>,
    output_slots: Vec<usize>,
    state_slots: Vec<StateSlot<E::Tensor>>,
    ports: Ports,
    memory: MemoryReport,
    notes: Vec<String>,
}

impl<E: Engine> Slots<E> {
    /// Compiles a verified graph: resolves every node to an instruction, and computes and converts weights.
    /// The parameters are not kept.
    pub fn compile(engine: &E, graph: &Graph, params: &Params) -> Result<Self, BackendError> {
        let mut prepared = Prepared::new(engine, graph, params)?;
        let mut bodies = Bodies::new(params);
        let CompiledProgram {
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
        let notes = engine.notes(graph, flat);
        let slot = |v: ValueId| slot_of[v.index()];
        let mut executor = Slots {
            engine: engine.clone(),
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

    fn zeros(&self, ty: &TensorType) -> Result<E::Tensor, BackendError> {
        catch(|| self.engine.zeros(&ty.physical_shape(), ty.dtype))
            .and_then(|r| r)
            .map_err(|e| self.failed(e))
    }

    fn failed(&self, message: String) -> BackendError {
        BackendError::Engine {
            backend: self.engine.name().to_owned(),
            message,
        }
    }

    fn place(
        &self,
        data: &TensorData,
        ty: &TensorType,
        what: &str,
    ) -> Result<E::Tensor, BackendError> {
        check_data(data, ty, what)?;
        if !self.engine.holds(ty.dtype) {
            return Err(BackendError::Argument(format!(
                "{what}: the device has no {}",
                ty.dtype
            )));
        }
        catch(|| Ok(Align::from_logical(ty).lay_out(self.engine.upload(data)?)))
            .and_then(|r| r)
            .map_err(|e| self.failed(e))
    }

    fn fetch(&self, tensor: &E::Tensor, ty: &TensorType) -> Result<TensorData, BackendError> {
        let view = |tensor: &E::Tensor| Align::to_logical(ty).view(tensor.clone());
        catch(|| self.engine.download(view(tensor), ty.dtype))
            .and_then(|r| r)
            .map_err(|e| self.failed(e))
    }

    fn execute_with(
        &mut self,
        inputs: &[Buffer],
        times: Option<&mut Times>,
    ) -> Result<Vec<Buffer>, BackendError> {
        self.ports.check_inputs::<E::Tensor>(inputs)?;
        let inputs = inputs
            .iter()
            .filter_map(|b| b.content::<E::Tensor>().cloned());
        let states = self.state_slots.iter().map(|s| s.content.clone()).collect();
        let (outputs, states) = self.run(inputs.collect(), states, times)?;
        for (state, content) in self.state_slots.iter_mut().zip(states) {
            state.content = content;
        }
        let outputs = outputs.into_iter().zip(&self.ports.outputs);
        Ok(outputs
            .map(|(value, port)| Buffer::new(port.ty.clone(), value))
            .collect())
    }

    /// Runs once on operands with the physical shapes of the inputs' and states' types. Returns the outputs
    /// and the states' new contents; the executable's own states do not change. For a backend that records
    /// executions.
    ///
    /// # Errors
    /// If the engine fails; the message names the node.
    pub fn run_once(
        &mut self,
        inputs: Vec<E::Tensor>,
        states: Vec<E::Tensor>,
    ) -> Result<Results<E::Tensor>, BackendError> {
        self.run(inputs, states, None)
    }

    /// Like [`Self::run_once`], with the time of each node as in [`Executable::profile`].
    ///
    /// # Errors
    /// If the engine fails; the message names the node.
    pub fn profile_once(
        &mut self,
        inputs: Vec<E::Tensor>,
        states: Vec<E::Tensor>,
    ) -> Result<(Results<E::Tensor>, Vec<NodeTime>), BackendError> {
        let mut times = Times::begin(self.instructions.len());
        self.synchronize()?;
        let results = self.run(inputs, states, Some(&mut times))?;
        Ok((results, times.into_nodes()))
    }

    fn run(
        &mut self,
        inputs: Vec<E::Tensor>,
        states: Vec<E::Tensor>,
        times: Option<&mut Times>,
    ) -> Result<Results<E::Tensor>, BackendError> {
        for (&slot, input) in self.input_slots.iter().zip(inputs) {
            self.slots[slot] = Some(input);
        }
        for (state, content) in self.state_slots.iter().zip(states) {
            self.slots[state.reads] = Some(content);
        }
        let (engine, instructions, slots) = (&self.engine, &self.instructions, &mut self.slots);
        let mut timed = times.map(|times| Timed {
            times,
            watch: engine
                .stopwatch()
                .unwrap_or_else(|| Box::new(HostStopwatch::new(|| engine.synchronize()))),
        });
        let mut result = Ok(());
        engine.run(&mut || result = run(instructions, slots, timed.take()));
        let finished = match result {
            Ok(()) => self.results(),
            Err(message) => Err(self.failed(message)),
        };
        self.slots[self.weights..].fill(None);
        finished
    }

    /// Takes outputs and new states out of the slots of a finished run.
    fn results(&self) -> Result<Results<E::Tensor>, BackendError> {
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

impl<E: Engine> Executable for Slots<E> {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        Ok(Buffer::new(ty.clone(), self.place(data, ty, "the tensor")?))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        match buffer.content() {
            Some(tensor) => self.fetch(tensor, buffer.ty()),
            None => Err(BackendError::Argument(format!(
                "{buffer:?} is on another backend"
            ))),
        }
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        self.execute_with(inputs, None)
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        let mut times = Times::begin(self.instructions.len());
        self.synchronize()?;
        let outputs = self.execute_with(inputs, Some(&mut times))?;
        Ok((outputs, times.into_nodes()))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        catch(|| self.engine.synchronize())
            .and_then(|r| r)
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
        match self.engine.stopwatch() {
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

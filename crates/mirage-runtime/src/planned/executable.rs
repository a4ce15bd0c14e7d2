//! A graph compiled to planned memory.

use std::{collections::BTreeMap, sync::Arc};

use bumpalo::Bump;
use mirage_backend::{
    BackendError, Buffer, Executable, MemoryReport, NodeTime, PortInfo, Ports, check_bytes,
    check_data,
};
use mirage_ir::{Graph, Params, TensorData, TensorType};

use super::{
    HostKernels,
    build::{Bodies, PlannedProgram, build},
    data::Data,
    program::{Arguments, LISTS, Place, Program},
};
use crate::{
    Engine, Prepared,
    run::{Timed, Times},
    stopwatch::HostStopwatch,
};

/// A graph compiled to planned memory: the offset of every value and the sequence of steps are fixed at
/// compile.
pub struct Planned<E: Engine> {
    engine: E,
    kernels: Arc<dyn HostKernels<E::Tensor>>,
    ports: Ports,
    program: Program<E>,
    outputs: Vec<Place>,
    /// Where the states' new contents are after a run.
    becomes: Vec<Place>,
    states: Vec<Data>,
    /// The new contents, until all of them are copied.
    next: Vec<Data>,
    memory: MemoryReport,
    notes: Vec<String>,
    /// Arena for lists that live as long as an execution.
    lists: Bump,
}

impl<E: Engine> Planned<E> {
    /// Plans a verified graph and runs it once on zeros, so that every thread allocates its scratch memory.
    /// The parameters are not kept.
    ///
    /// # Errors
    /// If the engine cannot run an operation or fails in the prologue, or a parameter has no value.
    pub fn compile(
        engine: &E,
        kernels: Arc<dyn HostKernels<E::Tensor>>,
        graph: &Graph,
        params: &Params,
    ) -> Result<Self, BackendError> {
        let mut prepared = Prepared::new(engine, graph, params)?;
        let mut bodies = Bodies::new(params);
        let PlannedProgram {
            program,
            outputs,
            states: becomes,
        } = build(&mut prepared, &kernels, &mut bodies)?;
        let ports = Ports::of(graph);
        let planned = program.planned_bytes() + bodies.planned_bytes();
        let zeros = |ports: &[PortInfo]| ports.iter().map(|p| Data::zeros(&p.ty)).collect();
        let mut notes = engine.notes(graph, prepared.graph());
        notes.extend(note(kernels.fallback(), &program, &bodies));
        let mut executable = Planned {
            engine: engine.clone(),
            kernels,
            memory: MemoryReport {
                weight_bytes: prepared.weight_bytes() + bodies.weight_bytes(),
                state_bytes: ports.state_bytes(),
                planned_peak_bytes: planned,
                held_bytes: Some(planned),
            },
            program,
            outputs,
            becomes,
            states: zeros(&ports.states),
            next: zeros(&ports.states),
            ports,
            notes,
            lists: Bump::with_capacity(LISTS),
        };
        let inputs: Vec<Data> = zeros(&executable.ports.inputs);
        let inputs: Vec<&Data> = inputs.iter().collect();
        if let Err(message) = executable.run(&inputs, None) {
            tracing::debug!(message, "the first run, on zeros, failed");
        }
        executable.kernels.settle();
        Ok(executable)
    }

    fn run(&mut self, inputs: &[&Data], times: Option<&mut Times>) -> Result<(), String> {
        let (program, states) = (&mut self.program, &self.states);
        let mut timed = times.map(|times| Timed {
            times,
            watch: Box::new(HostStopwatch::new(|| Ok(()))),
        });
        let mut result = Ok(());
        let given = Arguments { inputs, states };
        self.engine
            .run(&mut || result = program.run(given, timed.take()));
        result
    }

    fn execute_with(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
        times: Option<&mut Times>,
    ) -> Result<(), BackendError> {
        self.ports.check_inputs::<Data>(inputs)?;
        self.ports.check_outputs::<Data>(outputs)?;
        let mut lists = std::mem::take(&mut self.lists);
        let result = self.execute_checked(inputs, outputs, times, &lists);
        lists.reset();
        self.lists = lists;
        result.map_err(|e| self.failed(e))
    }

    fn execute_checked(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
        times: Option<&mut Times>,
        lists: &Bump,
    ) -> Result<(), String> {
        let inputs = lists.alloc_slice_fill_iter(inputs.iter().map(content));
        self.run(inputs, times)?;
        let states = &self.states;
        let given = Arguments { inputs, states };
        for (place, output) in self.outputs.iter().zip(outputs) {
            if let Some(to) = output.content_mut::<Data>() {
                self.program.copy(place, &given, to.elements());
            }
        }
        for (place, to) in self.becomes.iter().zip(&mut self.next) {
            self.program.copy(place, &given, to.elements());
        }
        std::mem::swap(&mut self.states, &mut self.next);
        Ok(())
    }

    fn fresh_outputs(&self) -> Vec<Buffer> {
        let fresh = |p: &PortInfo| Buffer::new(p.ty.clone(), Data::zeros(&p.ty));
        self.ports.outputs.iter().map(fresh).collect()
    }

    fn failed(&self, message: String) -> BackendError {
        BackendError::Engine {
            backend: self.engine.name().to_owned(),
            message,
        }
    }

    fn place(&self, data: &TensorData, ty: &TensorType, what: &str) -> Result<Data, BackendError> {
        check_data(data, ty, what)?;
        Data::from_logical(data, ty, &self.engine).map_err(|e| self.failed(e))
    }

    fn fetch(&self, data: &Data, ty: &TensorType) -> Result<TensorData, BackendError> {
        data.to_logical(ty, &self.engine)
            .map_err(|e| self.failed(e))
    }
}

/// Returns the content of a buffer that was checked before.
fn content(buffer: &Buffer) -> &Data {
    buffer
        .content::<Data>()
        .unwrap_or_else(|| unreachable!("the inputs were checked"))
}

/// Returns a note on operations that the engine runs.
fn note<E: Engine>(fallback: &str, program: &Program<E>, bodies: &Bodies<'_, E>) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for op in program.engine_runs().chain(bodies.engine_runs()) {
        *counts.entry(op).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(op, n)| format!("{n} {op}")).collect();
    (!counts.is_empty()).then(|| {
        format!(
            "the static plan runs {} by {fallback}, which copies and allocates in every frame",
            counts.join(", ")
        )
    })
}

impl<E: Engine> Executable for Planned<E> {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        Ok(Buffer::new(ty.clone(), self.place(data, ty, "the tensor")?))
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        match buffer.content() {
            Some(data) => self.fetch(data, buffer.ty()),
            None => Err(BackendError::Argument(format!(
                "{buffer:?} is on another backend"
            ))),
        }
    }

    fn upload_into(&self, bytes: &[u8], buffer: &mut Buffer) -> Result<(), BackendError> {
        check_bytes(bytes.len(), buffer.ty())?;
        let is_row_major = buffer.ty().order.is_row_major();
        match buffer.content_mut::<Data>() {
            Some(data) if is_row_major => data.write(bytes),
            _ => {
                let ty = buffer.ty();
                let data = TensorData::new(ty.dtype, ty.shape.clone(), bytes.to_vec());
                *buffer = self.upload(&data.map_err(BackendError::Argument)?, buffer.ty())?;
            }
        }
        Ok(())
    }

    fn download_into(&self, buffer: &Buffer, bytes: &mut [u8]) -> Result<(), BackendError> {
        check_bytes(bytes.len(), buffer.ty())?;
        match buffer.content::<Data>() {
            Some(data) if buffer.ty().order.is_row_major() => data.read(bytes),
            _ => bytes.copy_from_slice(self.download(buffer)?.bytes()),
        }
        Ok(())
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        let mut outputs = self.fresh_outputs();
        self.execute_with(inputs, &mut outputs, None)?;
        Ok(outputs)
    }

    fn execute_into(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
    ) -> Result<(), BackendError> {
        self.execute_with(inputs, outputs, None)
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        let mut times = Times::begin(self.program.steps.len());
        let mut outputs = self.fresh_outputs();
        self.execute_with(inputs, &mut outputs, Some(&mut times))?;
        Ok((outputs, times.into_nodes()))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        Ok(())
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        let i = self.ports.state(name)?;
        self.fetch(&self.states[i], &self.ports.states[i].ty)
    }

    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError> {
        let i = self.ports.state(name)?;
        let ty = self.ports.states[i].ty.clone();
        self.states[i] = self.place(data, &ty, &format!("state `{name}`"))?;
        Ok(())
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        for (state, port) in self.states.iter_mut().zip(&self.ports.states) {
            *state = Data::zeros(&port.ty);
        }
        Ok(())
    }

    fn memory(&self) -> MemoryReport {
        self.memory
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

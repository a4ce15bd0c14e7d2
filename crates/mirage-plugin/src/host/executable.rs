//! Executables of plugins' backends.

use mirage_backend::{
    BackendError, Buffer, Executable, MemoryReport, NodeClock, NodeTime, Ports, check_data,
};
use mirage_ir::{Graph, TensorData, TensorType};

use super::{
    Plugin,
    backend::PluginBackend,
    call::Trouble,
    functions::BackendFunctions,
    guard::{GuardedBytes, GuardedHandles},
    lend::Loan,
};
use crate::{
    abi::{BufferFreeFn, BufferHandle, Bytes, ExecutableFn, ExecutableHandle, ExecuteFn, Writer},
    message::{CompiledForm, MemoryForm, NodeTimeForm},
};

/// An executable of a plugin.
pub(super) struct PluginExecutable {
    plugin: &'static Plugin,
    /// The backend's name.
    backend: &'static str,
    functions: BackendFunctions,
    handle: ExecutableHandle,
    ports: Ports,
    notes: Vec<String>,
    node_clock: NodeClock,
    nodes: usize,
    /// The device's index.
    device: usize,
}

// SAFETY: the header lets an executable be used by any thread, one at a time, which `&mut` and the
// lack of `Sync` see to.
unsafe impl Send for PluginExecutable {}

/// A buffer of a plugin.
struct PluginBuffer {
    plugin: &'static Plugin,
    backend: &'static str,
    /// The device's index.
    device: usize,
    handle: BufferHandle,
    free: BufferFreeFn,
}

// SAFETY: the header lets a buffer be used and freed by any thread, one at a time.
unsafe impl Send for PluginBuffer {}

impl Drop for PluginBuffer {
    fn drop(&mut self) {
        if !self.plugin.is_damaged() {
            // SAFETY: the handle is the plugin's own and is not used again.
            unsafe { (self.free)(self.handle) }
        }
    }
}

impl Drop for PluginExecutable {
    fn drop(&mut self) {
        if !self.plugin.is_damaged() {
            // SAFETY: the handle is the plugin's own and is not used again.
            unsafe { (self.functions.free)(self.handle) }
        }
    }
}

impl PluginExecutable {
    pub(super) fn new(
        backend: &PluginBackend,
        graph: &Graph,
        handle: ExecutableHandle,
        compiled: CompiledForm,
        device: usize,
    ) -> Self {
        PluginExecutable {
            plugin: backend.plugin,
            backend: backend.info.name,
            functions: backend.functions,
            handle,
            ports: Ports::of(graph),
            notes: compiled.notes,
            node_clock: compiled.node_clock.into(),
            nodes: graph.nodes().len(),
            device,
        }
    }

    fn error(&self, trouble: Trouble) -> BackendError {
        trouble.into_backend_error(self.plugin, self.backend)
    }

    fn buffer(&self, ty: &TensorType, handle: BufferHandle) -> Buffer {
        let content = PluginBuffer {
            plugin: self.plugin,
            backend: self.backend,
            device: self.device,
            handle,
            free: self.functions.buffer_free,
        };
        Buffer::new(ty.clone(), content)
    }

    /// Returns the buffer's handle, if it is of this backend.
    fn handle_of(&self, buffer: &Buffer) -> Result<BufferHandle, BackendError> {
        let own = buffer.content::<PluginBuffer>().filter(|content| {
            std::ptr::eq(content.plugin, self.plugin)
                && content.backend == self.backend
                && content.device == self.device
        });
        own.map(|content| content.handle).ok_or_else(|| {
            BackendError::Argument(format!(
                "{buffer:?} is on another backend or device: upload it through this executable"
            ))
        })
    }

    fn handles_of(&self, buffers: &[Buffer]) -> Result<Vec<BufferHandle>, BackendError> {
        buffers.iter().map(|b| self.handle_of(b)).collect()
    }

    /// Calls a function without a result.
    fn tell(&self, function: Option<ExecutableFn>) -> Result<(), BackendError> {
        let Some(function) = function else {
            return Ok(());
        };
        let told = self.plugin.call(|out| {
            // SAFETY: a function that the header documents under its name, on its own handle.
            unsafe { function(self.handle, out) }
        });
        told.map(drop).map_err(|trouble| self.error(trouble))
    }

    /// Lets the plugin fill elements of a type.
    fn fill(
        &self,
        ty: &TensorType,
        f: impl FnOnce(*mut u8, usize, *const Writer) -> i32,
    ) -> Result<TensorData, BackendError> {
        let len = ty.bytes();
        let mut place = GuardedBytes::new(len);
        let filled = self.plugin.call(|out| f(place.place(), len, out));
        if !place.is_whole() {
            return Err(self.error(self.plugin.damage()));
        }
        filled.map_err(|trouble| self.error(trouble))?;
        TensorData::new(ty.dtype, &ty.shape[..], place).map_err(BackendError::Argument)
    }

    /// Runs `execute` or `profile`; returns the new outputs and what was written.
    fn run(
        &mut self,
        function: ExecuteFn,
        inputs: &[Buffer],
    ) -> Result<(Vec<Buffer>, Vec<u8>), BackendError> {
        self.ports.check_inputs::<PluginBuffer>(inputs)?;
        let inputs = self.handles_of(inputs)?;
        let count = self.ports.outputs.len();
        let mut places = GuardedHandles::new(count);
        let said = self.plugin.call(|out| {
            let outputs = places.place();
            // SAFETY: a function that the header documents under its name, on its own handles; the
            // lists live until it returns.
            unsafe {
                function(
                    self.handle,
                    inputs.as_ptr(),
                    inputs.len(),
                    outputs,
                    count,
                    out,
                )
            }
        });
        if !places.is_whole() {
            return Err(self.error(self.plugin.damage()));
        }
        let said = said.map_err(|trouble| self.error(trouble))?;
        // Takes ownership of the outputs, each once, before an error is returned. A handle that occurs twice, or
        // that the host has already, would be freed twice.
        let mut owned = inputs;
        let (mut buffers, mut again) = (Vec::with_capacity(count), 0);
        for (port, &handle) in self.ports.outputs.iter().zip(places.handles()) {
            if handle.is_null() {
                continue;
            }
            if owned.contains(&handle) {
                again += 1;
                continue;
            }
            owned.push(handle);
            buffers.push(self.buffer(&port.ty, handle));
        }
        if again > 0 {
            let what = "returned a buffer twice, or one that it was given: each output of an \
                        execution must be a new buffer";
            return Err(self.error(Trouble::Breach(what.to_owned())));
        }
        if buffers.len() != count {
            let what = format!(
                "returned {} of {count} outputs of an execution",
                buffers.len()
            );
            return Err(self.error(Trouble::Breach(what)));
        }
        Ok((buffers, said))
    }

    fn state_type(&self, name: &str) -> Result<&TensorType, BackendError> {
        Ok(&self.ports.states[self.ports.state(name)?].ty)
    }

    fn lacks(&self, what: &str) -> BackendError {
        self.error(Trouble::Breach(format!("has no function for {what}")))
    }
}

impl Executable for PluginExecutable {
    fn ports(&self) -> &Ports {
        &self.ports
    }

    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError> {
        check_data(data, ty, "the tensor")?;
        let loan = Loan::new("", ty, data);
        let mut place = GuardedHandles::new(1);
        let uploaded = self.plugin.call(|out| {
            let (tensor, buffer) = (loan.tensor(), place.place());
            // SAFETY: the function that the header documents under its name, on its own handle; the
            // tensor lives until it returns.
            unsafe { (self.functions.upload)(self.handle, &tensor, buffer, out) }
        });
        if !place.is_whole() {
            return Err(self.error(self.plugin.damage()));
        }
        uploaded.map_err(|trouble| self.error(trouble))?;
        match place.handles()[0] {
            handle if handle.is_null() => {
                let what = "reported success of an upload without a buffer".to_owned();
                Err(self.error(Trouble::Breach(what)))
            }
            handle => Ok(self.buffer(ty, handle)),
        }
    }

    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError> {
        let handle = self.handle_of(buffer)?;
        self.fill(buffer.ty(), |data, len, out| {
            // SAFETY: the function that the header documents under its name, on its own handles;
            // `data` has `len` bytes, zeros so far.
            unsafe { (self.functions.download)(self.handle, handle, data, len, out) }
        })
    }

    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError> {
        let (outputs, _) = self.run(self.functions.execute, inputs)?;
        Ok(outputs)
    }

    fn execute_into(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
    ) -> Result<(), BackendError> {
        self.ports.check_outputs::<PluginBuffer>(outputs)?;
        let Some(function) = self.functions.execute_into else {
            let results = self.execute(inputs)?;
            outputs
                .iter_mut()
                .zip(results)
                .for_each(|(place, result)| *place = result);
            return Ok(());
        };
        self.ports.check_inputs::<PluginBuffer>(inputs)?;
        let (inputs, mut outputs) = (self.handles_of(inputs)?, self.handles_of(outputs)?);
        let done = self.plugin.call(|out| {
            let (places, count) = (outputs.as_mut_ptr(), outputs.len());
            // SAFETY: the function that the header documents under its name, on its own handles;
            // the lists live until it returns.
            unsafe {
                function(
                    self.handle,
                    inputs.as_ptr(),
                    inputs.len(),
                    places,
                    count,
                    out,
                )
            }
        });
        done.map(drop).map_err(|trouble| self.error(trouble))
    }

    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError> {
        let function = self
            .functions
            .profile
            .ok_or_else(|| self.lacks("profiles"))?;
        let (outputs, said) = self.run(function, inputs)?;
        let times: Vec<NodeTimeForm> = self
            .plugin
            .read("times", &said)
            .map_err(|trouble| self.error(trouble))?;
        let times = times.into_iter().map(|time| time.into_time(self.nodes));
        let times = times.collect::<Result<_, _>>();
        Ok((
            outputs,
            times.map_err(|e| self.error(Trouble::Breach(format!("profiles: {e}"))))?,
        ))
    }

    fn synchronize(&self) -> Result<(), BackendError> {
        self.tell(self.functions.synchronize)
    }

    fn export_state(&self, name: &str) -> Result<TensorData, BackendError> {
        let ty = self.state_type(name)?;
        let function = self
            .functions
            .state_export
            .ok_or_else(|| self.lacks("exporting states"))?;
        self.fill(ty, |data, len, out| {
            let name = Bytes::of(name.as_bytes());
            // SAFETY: the function that the header documents under its name, on its own handle;
            // `data` has `len` bytes, zeros so far.
            unsafe { function(self.handle, name, data, len, out) }
        })
    }

    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError> {
        let ty = self.state_type(name)?;
        check_data(data, ty, &format!("state `{name}`"))?;
        let function = self
            .functions
            .state_import
            .ok_or_else(|| self.lacks("importing states"))?;
        let loan = Loan::new(name, ty, data);
        let done = self.plugin.call(|out| {
            let (name, tensor) = (Bytes::of(name.as_bytes()), loan.tensor());
            // SAFETY: the function that the header documents under its name, on its own handle; the
            // tensor lives until it returns.
            unsafe { function(self.handle, name, &tensor, out) }
        });
        done.map(drop).map_err(|trouble| self.error(trouble))
    }

    fn reset_states(&mut self) -> Result<(), BackendError> {
        if self.functions.states_reset.is_none() && !self.ports.states.is_empty() {
            return Err(self.lacks("resetting states"));
        }
        self.tell(self.functions.states_reset)
    }

    fn memory(&self) -> MemoryReport {
        let Some(function) = self.functions.memory else {
            return MemoryReport::default();
        };
        let read: Result<MemoryForm, Trouble> = self.plugin.ask("a memory report", |out| {
            // SAFETY: the function that the header documents under its name, on its own handle.
            unsafe { function(self.handle, out) }
        });
        read.map(MemoryReport::from).unwrap_or_else(|trouble| {
            tracing::error!("{}", trouble.sentence(self.plugin));
            MemoryReport::default()
        })
    }

    fn node_clock(&self) -> NodeClock {
        self.node_clock
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

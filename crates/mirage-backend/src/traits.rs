//! What an engine implements.

use std::{sync::Arc, time::Duration};

use mirage_ir::{Graph, NodeId, Params, TensorData, TensorType, target::Capabilities};

use crate::{BackendError, Buffer, Ports, check_bytes, memory::MemoryNeed};

/// A backend's name and versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name, as in `--backend NAME`.
    pub name: &'static str,
    /// The backend's own version.
    pub version: &'static str,
    /// The engine behind it and its version.
    pub engine: &'static str,
    /// One line on what it does, starting with a verb.
    pub summary: &'static str,
}

/// A device that a backend can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its index, for [`CompileOptions::device`].
    pub index: usize,
    /// The processor's or the graphics card's name, to show to users.
    pub name: String,
    /// What matters for speed, to show to users: cores, threads, vector extensions, memory.
    pub details: String,
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// The device's index in [`Backend::devices`].
    pub device: usize,
}

/// An engine that runs graphs.
pub trait Backend: Send + Sync {
    /// Its name and versions.
    fn info(&self) -> BackendInfo;

    /// The devices on this machine; empty if there is none. Must not panic when hardware or a driver is
    /// missing.
    ///
    /// # Errors
    /// If devices cannot be listed, for example because a driver is too old.
    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError>;

    /// Whether tensors are allocated by Rust's global allocator, so that a counting allocator counts
    /// activations. False for a graphics card, and for an engine with an allocator of its own.
    fn allocates_on_heap(&self) -> bool {
        false
    }

    /// What the backend can do on a device.
    fn capabilities(&self, device: usize) -> Capabilities;

    /// The largest error of an f32 network on this backend against exact arithmetic, relative to the
    /// output's largest absolute value. It covers rounding and other orders of summation in all layers.
    fn tolerance(&self) -> f64 {
        1e-4
    }

    /// A lower bound on the memory that an execution of the graph needs on this backend.
    fn memory_need(&self, graph: &Graph) -> MemoryNeed {
        MemoryNeed::of(graph)
    }

    /// Compiles a verified graph. Computes what depends on parameters alone, once, and keeps weights only
    /// in the form that an execution reads.
    ///
    /// # Errors
    /// If an operation or dtype is not supported, a parameter has no value or another type, the graph does
    /// not fit into memory, or the engine fails.
    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError>;
}

/// The name and type of an input, an output or a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub ty: TensorType,
}

/// The memory that an executable uses, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// Weights, in the form that an execution reads.
    pub weight_bytes: u64,
    /// States.
    pub state_bytes: u64,
    /// The largest sum of activations alive at once in an execution, as planned.
    pub planned_peak_bytes: u64,
    /// What the executable itself holds for activations, as one with a static plan does; `None` if the
    /// engine allocates them during an execution.
    pub held_bytes: Option<u64>,
}

/// The clock that times nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeClock {
    /// The host's: from the call until the device is idle. Times of nodes and the gaps between them add up
    /// to the time of the profiled execution.
    #[default]
    Host,
    /// The device's: each node alone, without its launch. Times of nodes add up to the time that the device
    /// is busy in an execution; a profiled execution takes much longer.
    Device,
}

/// The time that one node took in a profiled execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTime {
    /// The node, in the graph that was compiled.
    pub node: NodeId,
    /// When it began, from the beginning of the call to [`Executable::profile`].
    pub start: Duration,
    /// From its start to its end by the clock of [`Executable::node_clock`], with the device
    /// synchronized at both; where a region's body runs in its place, the sum over the body.
    pub time: Duration,
}

/// A compiled graph. It owns the states' buffers.
pub trait Executable: Send {
    /// Names and types of its inputs, outputs and states.
    fn ports(&self) -> &Ports;

    /// The inputs, in the order of [`Self::execute`]'s arguments.
    fn inputs(&self) -> &[PortInfo] {
        &self.ports().inputs
    }

    /// The outputs, in the order of [`Self::execute`]'s results.
    fn outputs(&self) -> &[PortInfo] {
        &self.ports().outputs
    }

    /// The states.
    fn states(&self) -> &[PortInfo] {
        &self.ports().states
    }

    /// Copies elements, in logical row-major order, to the device, where they have the memory order of `ty`.
    ///
    /// # Errors
    /// If the elements do not have the dtype and shape of `ty`, or the device fails.
    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError>;

    /// Copies a tensor from the device, in logical row-major order. Waits for the device.
    ///
    /// # Errors
    /// If the buffer is of another backend, or the device fails.
    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError>;

    /// Overwrites a buffer with elements of its dtype and shape: bytes as in [`TensorData`], in logical
    /// row-major order. By default the buffer is replaced by a new one; an executable with a static plan
    /// allocates nothing for a row-major type.
    ///
    /// # Errors
    /// If the length does not fit the type, the buffer is of another backend, or the device fails.
    fn upload_into(&self, bytes: &[u8], buffer: &mut Buffer) -> Result<(), BackendError> {
        let ty = buffer.ty();
        let data = TensorData::new(ty.dtype, ty.shape.clone(), bytes.to_vec());
        let data = data.map_err(BackendError::Argument)?;
        *buffer = self.upload(&data, buffer.ty())?;
        Ok(())
    }

    /// As [`Self::download`], into bytes of the same length. By default they are copied from the result
    /// of `download`; an executable with a static plan allocates nothing for a row-major type.
    ///
    /// # Errors
    /// If the length does not fit the type, the buffer is of another backend, or the device fails.
    fn download_into(&self, buffer: &Buffer, bytes: &mut [u8]) -> Result<(), BackendError> {
        check_bytes(bytes.len(), buffer.ty())?;
        bytes.copy_from_slice(self.download(buffer)?.bytes());
        Ok(())
    }

    /// Runs once: reads inputs and states, returns the outputs, and updates the states. After an error the
    /// states are unchanged.
    ///
    /// # Errors
    /// If the inputs do not fit [`Self::inputs`], or a node fails; the message names it.
    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError>;

    /// As [`Self::execute`], with the outputs written into existing buffers of their types, from an earlier
    /// execution or from [`Self::upload`]. An executable with a static plan allocates nothing here.
    ///
    /// # Errors
    /// As [`Self::execute`], and if the buffers do not fit [`Self::outputs`].
    fn execute_into(
        &mut self,
        inputs: &[Buffer],
        outputs: &mut [Buffer],
    ) -> Result<(), BackendError> {
        let results = self.execute(inputs)?;
        if results.len() != outputs.len() {
            return Err(BackendError::Argument(format!(
                "{} outputs given, the graph has {}",
                outputs.len(),
                results.len()
            )));
        }
        for (output, result) in outputs.iter_mut().zip(results) {
            *output = result;
        }
        Ok(())
    }

    /// As [`Self::execute`], with the time of each node that does work, in the order in which they ran. A
    /// call is one node.
    ///
    /// # Errors
    /// As [`Self::execute`].
    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError>;

    /// The clock that [`Self::profile`] uses.
    fn node_clock(&self) -> NodeClock {
        NodeClock::Host
    }

    /// Waits until the device is idle.
    ///
    /// # Errors
    /// If the device fails.
    fn synchronize(&self) -> Result<(), BackendError>;

    /// The content of a state, in logical row-major order.
    ///
    /// # Errors
    /// If no state has this name, or the device fails.
    fn export_state(&self, name: &str) -> Result<TensorData, BackendError>;

    /// Replaces the content of a state.
    ///
    /// # Errors
    /// If no state has this name, the elements do not have its dtype and shape, or the device fails.
    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError>;

    /// Sets every state to zeros.
    ///
    /// # Errors
    /// If the device fails.
    fn reset_states(&mut self) -> Result<(), BackendError>;

    /// The memory that it uses.
    fn memory(&self) -> MemoryReport;

    /// What a user should know about this compilation, a line each: dtypes without a fast path, operations
    /// that run elsewhere, fallbacks.
    fn notes(&self) -> &[String];
}

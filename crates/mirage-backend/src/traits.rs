//! What an engine implements.

use std::{sync::Arc, time::Duration};

use mirage_ir::{Graph, NodeId, Params, TensorData, TensorType, target::Capabilities};

use crate::{BackendError, Buffer, Ports, check_bytes};

/// Who a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The name that users type.
    pub name: &'static str,
    /// The backend's own version.
    pub version: &'static str,
    /// The engine behind it and its version.
    pub engine: &'static str,
    /// One line on what it is.
    pub summary: &'static str,
}

/// A device that a backend can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its number for [`CompileOptions::device`].
    pub index: usize,
    /// What it is, for people: the processor's or the graphics card's name.
    pub name: String,
    /// What matters for speed, for people: cores, threads, vector extensions, memory.
    pub details: String,
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// The device's number among [`Backend::devices`].
    pub device: usize,
}

/// An engine that runs graphs.
pub trait Backend: Send + Sync {
    /// Who it is.
    fn info(&self) -> BackendInfo;

    /// The devices here; empty if there is none. Never panics, whatever hardware is missing.
    fn devices(&self) -> Result<Vec<DeviceInfo>, BackendError>;

    /// Whether tensors live in memory of Rust's global allocator, so that who counts there counts
    /// activations. Not so on a graphics card, or with an engine that has an allocator of its own.
    fn allocates_on_heap(&self) -> bool {
        false
    }

    /// What it can do on a device, as data.
    fn capabilities(&self, device: usize) -> Capabilities;

    /// What a network in f32 may differ by from exact arithmetic here, in units of the output's
    /// largest element: rounding and sums in other sequences, through all layers.
    fn tolerance(&self) -> f64 {
        1e-4
    }

    /// Makes a verified graph executable: computes what depends on parameters alone, once, and keeps
    /// the weights only in the form that an execution reads.
    fn compile(
        &self,
        graph: &Graph,
        params: &Params,
        options: &CompileOptions,
    ) -> Result<Box<dyn Executable>, BackendError>;
}

/// A name at the border of an executable and the type behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub ty: TensorType,
}

/// What an executable holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReport {
    /// Weights, in the form that an execution reads.
    pub weight_bytes: u64,
    /// States.
    pub state_bytes: u64,
    /// The most activations alive at once in an execution, as planned.
    pub planned_peak_bytes: u64,
    /// What executions take for activations, where the executable holds their memory itself, as
    /// one with a static plan does; `None` where the engine allocates and does not tell.
    pub held_bytes: Option<u64>,
}

/// Whose clock times nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NodeClock {
    /// The host's: from the call until the device is idle. Times of nodes and what is between them add
    /// up to a profiled execution.
    #[default]
    Host,
    /// The device's: each node alone, without the way of its launch there. Times of nodes add up to what
    /// the device is busy in an execution, and a profiled execution takes much longer.
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

/// A graph made ready to run. It owns the states' buffers.
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

    /// Puts elements (logical row-major) on the device, in the memory order of `ty`.
    fn upload(&self, data: &TensorData, ty: &TensorType) -> Result<Buffer, BackendError>;

    /// Takes a tensor from the device, waiting for it; elements are logical row-major.
    fn download(&self, buffer: &Buffer) -> Result<TensorData, BackendError>;

    /// Overwrites a buffer with elements of its dtype and shape: bytes as in [`TensorData`]. By default
    /// the buffer is replaced by a new one; an executable with a static plan allocates nothing for a
    /// row-major type.
    ///
    /// # Errors
    /// Bytes of another length; what the engine says.
    fn upload_into(&self, bytes: &[u8], buffer: &mut Buffer) -> Result<(), BackendError> {
        let ty = buffer.ty();
        let data = TensorData::new(ty.dtype, ty.shape.clone(), bytes.to_vec());
        let data = data.map_err(BackendError::Argument)?;
        *buffer = self.upload(&data, buffer.ty())?;
        Ok(())
    }

    /// As [`Self::download`], into bytes of the same length. By default they are copied from what
    /// `download` gives; an executable with a static plan allocates nothing for a row-major type.
    ///
    /// # Errors
    /// Bytes of another length; what the engine says.
    fn download_into(&self, buffer: &Buffer, bytes: &mut [u8]) -> Result<(), BackendError> {
        check_bytes(bytes.len(), buffer.ty())?;
        bytes.copy_from_slice(self.download(buffer)?.bytes());
        Ok(())
    }

    /// Runs once: reads inputs and states, gives the outputs and moves the states on. After an error
    /// the states are as before.
    fn execute(&mut self, inputs: &[Buffer]) -> Result<Vec<Buffer>, BackendError>;

    /// As [`Self::execute`], and the outputs go into buffers of their types, which an earlier
    /// execution gave or [`Self::upload`] made. An executable with a static plan allocates nothing
    /// here.
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

    /// As [`Self::execute`], with the time of each node that runs something, in the order in which
    /// they ran. A call is one node, whatever its body holds.
    fn profile(&mut self, inputs: &[Buffer]) -> Result<(Vec<Buffer>, Vec<NodeTime>), BackendError>;

    /// Whose clock [`Self::profile`] has.
    fn node_clock(&self) -> NodeClock {
        NodeClock::Host
    }

    /// Waits until the device has done everything asked of it.
    fn synchronize(&self) -> Result<(), BackendError>;

    /// A state's content.
    fn export_state(&self, name: &str) -> Result<TensorData, BackendError>;

    /// Gives a state another content, of its dtype and shape.
    fn import_state(&mut self, name: &str, data: &TensorData) -> Result<(), BackendError>;

    /// Sets every state to zeros.
    fn reset_states(&mut self) -> Result<(), BackendError>;

    /// What is held.
    fn memory(&self) -> MemoryReport;

    /// What a user should know of this compilation, a line each: dtypes without a fast path here,
    /// operations that run elsewhere, fallbacks.
    fn notes(&self) -> &[String];
}

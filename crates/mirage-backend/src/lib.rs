//! Backends: the traits that an engine implements, their registry, and the check whether a graph fits
//! into memory.

mod buffer;
mod error;
pub mod memory;
mod ports;
mod registry;
mod traits;

pub use buffer::Buffer;
pub use error::BackendError;
pub use ports::{Ports, check_bytes, check_data};
pub use registry::{BackendEntry, DuplicateBackend, backends, extend, find};
pub use traits::{
    Backend, BackendInfo, CompileOptions, DeviceInfo, Executable, MemoryReport, NodeClock,
    NodeTime, PortInfo,
};

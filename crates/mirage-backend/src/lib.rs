//! Backends: the traits that an engine implements, and, with the feature `burn`, the executor that
//! runs a graph on any burn backend.

mod buffer;
#[cfg(feature = "burn")]
pub mod burn;
mod error;
pub mod memory;
mod ports;
mod registry;
mod traits;

pub use buffer::Buffer;
pub use error::BackendError;
pub use ports::{Ports, check_data};
pub use registry::{BackendEntry, DuplicateBackend, backends, extend, find};
pub use traits::{
    Backend, BackendInfo, CompileOptions, DeviceInfo, Executable, MemoryReport, NodeClock,
    NodeTime, PortInfo,
};

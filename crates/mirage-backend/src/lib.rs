//! Traits of backends, their registry, and the check whether a graph fits into memory.
//!
//! A [`Backend`] compiles a graph to an [`Executable`], which owns the states. [`backends`] lists those that are
//! linked into the program, and [`find`] returns one by its name.
//!
//! ```
//! use mirage_backend::memory::{MemoryNeed, Room};
//! use mirage_ir::{DType, Graph, TensorType, ops::Unary};
//!
//! // No backend is linked into this example.
//! assert!(mirage_backend::find("cpu").is_none());
//!
//! let mut b = Graph::builder("example");
//! let x = b.input("x", TensorType::new(DType::F32, [1024, 1024]));
//! let y = b.op(Unary::Relu, &[x])?;
//! b.output("y", y);
//! let need = MemoryNeed::of(&b.finish()?);
//! assert!(need.check("cpu", Room::Free(8 << 30)).is_ok());
//! assert!(need.check("cpu", Room::Free(1 << 20)).is_err());
//! # Ok::<(), mirage_ir::GraphError>(())
//! ```

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

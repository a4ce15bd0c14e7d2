//! The default backend: burn-flex on the processor, with its threads and vector kernels.
//!
//! Linked into a program it registers itself under the name `cpu`.

mod backend;
mod capabilities;
mod kernels;

pub use backend::CpuBackend;

inventory::submit! { mirage_backend::BackendEntry(&CpuBackend) }

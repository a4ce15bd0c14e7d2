//! The default backend: burn-flex on the CPU, with own kernels and planned memory.
//!
//! A program that links this crate has the backend under the name `cpu`.

mod backend;
mod capabilities;
mod kernels;

pub use backend::CpuBackend;

inventory::submit! { mirage_backend::BackendEntry(&CpuBackend) }

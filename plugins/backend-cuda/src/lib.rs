//! The backend for NVIDIA graphics cards: burn-cuda with own kernels for the expensive operations, and CUDA
//! graphs of whole frames.
//!
//! A program that links this crate has the backend under the name `cuda`. On a machine without an NVIDIA
//! card it has no devices.

mod backend;
mod cache;
mod capabilities;
mod driver;
mod kernels;
mod memory;
mod recorded;
mod warm_up;

pub use backend::CudaBackend;

inventory::submit! { mirage_backend::BackendEntry(&CudaBackend) }

#[cfg(feature = "export")]
mirage_plugin::export! { backends: [&CudaBackend] }

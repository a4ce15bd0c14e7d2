//! The backend for NVIDIA graphics cards: burn-cuda, with kernels of its own for what takes a
//! network's time, and CUDA graphs of whole frames.
//!
//! Linked into a program it registers itself under the name `cuda`. On a machine without such a card
//! it says that there is no device.

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

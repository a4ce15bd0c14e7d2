//! The backend on libtorch, PyTorch's engine: burn-tch with kernels that call libtorch's fused
//! functions.
//!
//! A program that links this crate has the backend under the name `tch`; with the feature `export` the shared
//! library is a plugin. `scripts/setup-libtorch.sh` sets up the libtorch that it is built with.

#![expect(
    deprecated,
    reason = "burn has announced that it will drop burn-tch; 0.22.1, which has it, is pinned"
)]

mod backend;
mod capabilities;
mod kernels;
mod threads;

pub use backend::TchBackend;

#[cfg(not(feature = "export"))]
inventory::submit! { mirage_backend::BackendEntry(&TchBackend) }

#[cfg(feature = "export")]
mirage_plugin::export! { backends: [&TchBackend] }

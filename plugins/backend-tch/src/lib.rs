//! The backend on libtorch, PyTorch's engine, by burn-tch: the generic executor, with libtorch's own
//! fused functions where a graph has what they compute.
//!
//! Linked into a program it registers itself under the name `tch`; with the feature `export` the shared
//! library is a plugin. `scripts/setup-libtorch.sh` makes the libtorch that it is built with.

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

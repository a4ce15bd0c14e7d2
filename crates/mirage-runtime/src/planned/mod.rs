//! Programs on planned memory: each buffer has an offset in one allocation of host memory. Buffers whose
//! lifetimes do not overlap share memory, views share the memory of what they view, and an execution
//! allocates nothing.

mod aliases;
mod build;
mod data;
mod executable;
mod integers;
mod kernel;
mod memory;
mod narrow;
mod program;

pub use self::{
    executable::Planned,
    kernel::{HostKernel, HostKernels, Operand, Space, View},
};

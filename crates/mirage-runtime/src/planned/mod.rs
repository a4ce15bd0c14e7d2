//! Programs on planned memory: each buffer has a place in one piece of host memory, so that buffers whose
//! lifetimes do not meet share it, views share the memory of what they view, and an execution allocates
//! nothing.

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

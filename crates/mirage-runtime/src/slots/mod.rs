//! Programs on tensors that the engine allocates: each value is in a slot, which its last use frees.

mod compile;
mod executable;
mod program;

pub(crate) use self::program::{Body, Instruction, Operand, run};
pub use self::{
    executable::{Results, Slots},
    program::{Args, Kernel, call},
};

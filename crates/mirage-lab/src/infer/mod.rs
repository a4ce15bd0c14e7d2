//! One forward pass of a model on tensors of the caller's.

mod check;
mod forward;

pub use self::{
    check::{check, picture_shape},
    forward::{Again, Forward, HeldMemory, by_definition, on_backend},
};

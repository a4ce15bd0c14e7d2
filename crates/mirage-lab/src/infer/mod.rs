//! Runs one forward pass of a model on given tensors.

mod check;
mod forward;

pub use self::{
    check::{check, not_finite, picture_shape},
    forward::{Again, Forward, HeldMemory, by_definition, on_backend},
};

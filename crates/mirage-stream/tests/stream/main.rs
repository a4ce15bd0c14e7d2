//! The tests of this crate, in one program: linking takes longer than running most of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod agreement;
mod common;
mod frames;
mod outline;
mod own_model;
mod pass_sets;
mod stress;

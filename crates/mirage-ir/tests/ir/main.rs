//! The tests of this crate, in one program: linking takes longer than running most of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod activation_memory;
mod call;
mod common;
mod cost;
mod cost_analysis;
mod docs;
mod interp_data;
mod interp_empty;
mod interp_generate;
mod interp_ops;
mod interp_pytorch;
mod interp_run;
mod regions;
mod text;
mod text_generated;
mod text_read;
mod verify;
mod wire;

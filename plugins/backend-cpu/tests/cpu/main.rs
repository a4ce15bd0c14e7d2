//! The processor's backend: what every backend has to do, and its own kernels.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod about;
mod conformance;
mod elementwise;
mod externs;
mod kernels;
mod kernels_own;
mod matmul;
mod rearrange;
mod static_plan;
mod support;

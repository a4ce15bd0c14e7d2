//! The tests of this crate, in one program: linking takes longer than running most of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod capture;
mod common;
mod config;
mod network;
mod stress;
mod weights;

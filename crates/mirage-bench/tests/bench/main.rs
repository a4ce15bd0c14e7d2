//! The tests of this crate, in one program: linking takes longer than running most of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod comparing;
mod frame_errors;
mod histories;
mod ledgers;
mod measuring;
mod plans;
mod profiles;
mod racing;
mod rendering;
mod statistics;

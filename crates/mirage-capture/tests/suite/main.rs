//! Modules and programs that this crate was not written for: each captured, evaluated, and compared
//! with what burn itself gives.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod common;
mod conv;
mod dense;
mod functional;
mod programs;

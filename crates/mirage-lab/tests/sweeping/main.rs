//! Sweeps on a backend that is the reference interpreter, and on a clock that tests set.

// The helpers are tests too; clippy sees that only of `#[test]` functions.
#![allow(clippy::unwrap_used)]

mod attention;
mod ops;
mod reference;
mod resolution;

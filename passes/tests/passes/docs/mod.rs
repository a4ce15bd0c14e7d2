//! The book in `docs/`: what is written by a program is current, links lead somewhere, graphs parse.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod book;
mod passes;

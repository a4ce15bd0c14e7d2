//! Plugins: passes and backends in shared libraries, and the C ABI that they cross.
//!
//! A plugin exports one C function, `mirage_plugin`, which gives a table of functions
//! ([`abi::Table`], `include/mirage_plugin.h`). Messages are MessagePack or JSON ([`message`]),
//! graphs are in wire or text form, what a plugin makes is an opaque handle, and no side ever frees
//! the other's memory. Nothing of Rust's own ABI crosses, so it does not matter what compiler or
//! language made a plugin.
//!
//! Who writes one in Rust needs [`export!`] and nothing else of this crate:
//!
//! ```ignore
//! mirage_plugin::export! { passes: [&MyPass], backends: [&MyBackend] }
//! ```
//!
//! The program that loads them uses `host` (a feature).
//!
//! This is the only crate with `unsafe` for an ABI. What is not checked here cannot be: that a
//! plugin's pointers are what the header says they are.

#![allow(
    unsafe_code,
    reason = "an ABI is pointers; every use says what makes it right"
)]
#![warn(clippy::undocumented_unsafe_blocks)]

pub mod abi;
#[cfg(feature = "author")]
pub mod author;
mod convert;
#[cfg(feature = "host")]
pub mod host;
pub mod message;

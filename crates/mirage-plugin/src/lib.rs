//! Plugins: passes and backends in shared libraries, and their C ABI.
//!
//! A plugin exports one C function, `mirage_plugin`, which returns a table of functions ([`abi::Table`],
//! `include/mirage_plugin.h`). Messages are MessagePack or JSON ([`message`]), graphs are in wire or text
//! form, executables and buffers are opaque handles, and neither side frees the other's memory. Rust's ABI
//! is not used, so plugins may be built by any compiler in any language.
//!
//! A plugin in Rust only needs [`export!`]:
//!
//! ```ignore
//! mirage_plugin::export! { passes: [&MyPass], backends: [&MyBackend] }
//! ```
//!
//! A program that loads plugins uses the feature `host`.
//!
//! This is the only crate with `unsafe` for an ABI. It checks everything except that a plugin's pointers are
//! valid, which cannot be checked.

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

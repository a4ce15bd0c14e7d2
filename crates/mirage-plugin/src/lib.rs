//! Plugins: passes and backends in shared libraries, and their C ABI.
//!
//! A plugin exports one C function, `mirage_plugin`, which returns a table of functions ([`abi::Table`],
//! `include/mirage_plugin.h`). Messages are MessagePack or JSON ([`message`]), graphs are in wire or text
//! form, executables and buffers are opaque handles, and neither side frees the other's memory. Rust's ABI
//! is not used, so plugins may be built by any compiler in any language.
//!
//! A plugin in Rust only needs [`export!`]:
//!
//! ```
//! # struct MyPass;
//! # impl mirage_pass::Pass for MyPass {
//! #     fn info(&self) -> &'static mirage_pass::PassInfo {
//! #         static INFO: mirage_pass::PassInfo = mirage_pass::PassInfo::new(
//! #             "my_pass", 1, "changes nothing",
//! #             mirage_pass::Phase::Simplify, mirage_pass::Numerics::BitIdentical);
//! #         &INFO
//! #     }
//! #     fn run(&self, _: &mut mirage_ir::Graph, _: &mirage_pass::PassContext<'_>)
//! #         -> Result<mirage_pass::Outcome, mirage_pass::PassError> {
//! #         Ok(mirage_pass::Outcome::unchanged("it never changes anything"))
//! #     }
//! # }
//! mirage_plugin::export! { passes: [&MyPass], backends: [] }
//! # fn main() {}
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

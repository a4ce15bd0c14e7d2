//! The built-in optimization passes, a file each.
//!
//! Each file starts with an example in text IR, before and after, which a test runs. To add a pass:
//! a file here with a unit struct that implements [`mirage_pass::Pass`], its `register!`, and its
//! `mod` line below.

pub mod alignment;
mod auto_precision;
mod bf16;
mod canonicalize;
mod channels_last;
mod eliminate_common;
mod eliminate_dead;
#[cfg(test)]
mod example;
mod fold_batch_norm;
mod fold_constants;
mod fold_scales;
mod fp16;
mod fuse;
mod graph_capture;
mod lower_precision;
mod merge_qkv;
mod pad_channels;
mod permutes;
pub mod pipelines;
mod sdpa;
mod tf32;

/// Registers the passes of this crate with the program. Without a call, the linker leaves the crate out.
pub fn link() {}

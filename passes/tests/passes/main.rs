//! The tests of this crate, in one program: linking takes longer than running most of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod docs;
mod examples;
mod fold_batch_norm;
mod fuse;
mod merge_qkv;
mod names_stay_apart;
mod networks;
mod pad_channels;
mod pairs;
mod random_graphs;
mod sdpa;

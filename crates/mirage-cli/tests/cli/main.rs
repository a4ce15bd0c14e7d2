//! The program as a process: what it prints, what it leaves, how it exits.

// The helpers are tests too; clippy sees that only of `#[test]` functions.
#![allow(clippy::unwrap_used)]
// Tests that need ffmpeg say where they were skipped.
#![allow(clippy::print_stderr)]

mod bad_input;
mod bad_line;
mod bench;
mod bench_parts;
mod book;
mod checkpoints;
mod doctor;
mod export;
mod graphs;
mod infer;
mod messages;
mod not_finite;
mod pages;
mod parity;
mod pipelines;
mod plugins;
mod profile;
mod run;
mod same_file;
mod schemas;
mod standard_output;
mod support;
mod tables;
mod tch;
mod tune;
mod video;

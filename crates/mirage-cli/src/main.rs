//! `mirage`: runs diffusion models on video and measures what every optimization costs.
//!
//! The program parses arguments, calls the library crates and prints. Exit codes: 0 success,
//! 1 the run failed, 2 the command line is wrong, 130 interrupted before any output was written.

// Printing is what this crate is for; all of it goes through `output`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod backends;
mod bench;
mod cli;
mod completions;
mod doctor;
mod error;
mod file;
mod files;
mod graph;
mod infer;
mod interrupt;
mod man;
mod models;
mod origin;
mod output;
mod parity;
mod passes;
mod plugins;
mod profile;
mod progress;
#[cfg(test)]
mod reference;
mod run;
mod table;
mod threads;
mod tune;
mod units;

use std::process::ExitCode;

// A linked backend registers itself.
use mirage_backend_cpu as _;
#[cfg(feature = "cuda")]
use mirage_backend_cuda as _;
#[cfg(feature = "tch")]
use mirage_backend_tch as _;

#[global_allocator]
static HEAP: mirage_lab::heap::Heap = mirage_lab::heap::Heap;

fn main() -> ExitCode {
    mirage_passes::link();
    let cli = match cli::Cli::of_process() {
        Ok(cli) => cli,
        Err(answer) => return cli::answer(&answer),
    };
    cli.use_threads();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}

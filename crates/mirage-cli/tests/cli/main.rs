//! The program as a process: what it prints, what it leaves, how it exits.

mod bad_input;
mod bad_line;
mod infer;
mod run;
mod support;
mod tables;

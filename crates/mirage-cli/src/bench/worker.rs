//! Processes that work for this one.

use std::{
    env,
    process::{Command, Stdio},
};

use mirage_lab::ledger::Worker;

/// Starts this program with the same command line, so that it has the same sets, and waits for its answer.
pub(super) fn start(worker: Worker) -> Result<Vec<u8>, String> {
    let program = env::current_exe().map_err(|e| format!("this program's file: {e}"))?;
    let output = Command::new(program)
        .args(env::args_os().skip(1))
        .args(["--worker", &worker.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start a process: {e}"))?;
    match output.stdout.is_empty() {
        true => Err(format!("the process ended early ({})", output.status)),
        false => Ok(output.stdout),
    }
}

//! Worker processes.

use std::{
    env,
    process::{Command, Stdio},
};

use mirage_lab::ledger::Worker;

/// Starts this program with the same command line plus `--worker`, and returns what it prints.
///
/// # Errors
/// If the process cannot be started or prints nothing.
pub(super) fn start(worker: Worker) -> Result<Vec<u8>, String> {
    let program =
        env::current_exe().map_err(|e| format!("cannot find the program's own file: {e}"))?;
    let output = Command::new(program)
        .args(env::args_os().skip(1))
        .args(["--worker", &worker.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot start a worker process: {e}"))?;
    match output.stdout.is_empty() {
        true => Err(format!(
            "a worker process ended without a result ({})",
            output.status
        )),
        false => Ok(output.stdout),
    }
}

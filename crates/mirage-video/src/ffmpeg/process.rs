//! The owner of all processes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use shared_child::SharedChild;

use super::{Complaints, Subject};
use crate::Result;

static RUNNING: Mutex<BTreeMap<u32, Arc<SharedChild>>> = Mutex::new(BTreeMap::new());

/// Kills every process that this crate has started and that still runs. Call it before the program exits while a
/// source may hang in a read.
pub fn kill_processes() {
    let running = std::mem::take(&mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner));
    for child in running.values() {
        if child.kill().is_ok() {
            let _ = child.wait();
        }
    }
}

/// A running ffmpeg. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Arc<SharedChild>,
    stderr: File,
}

impl Process {
    /// Starts `command` with its messages written to an unnamed file, because an unread pipe could fill up.
    /// It runs in its own process group, so that Ctrl-C does not stop an encoder before it has finished its
    /// file.
    pub(crate) fn start(mut command: Command, subject: &Subject) -> Result<Self> {
        let stderr = tempfile::tempfile().and_then(|file| Ok((file.try_clone()?, file)));
        let (stderr, handle) =
            stderr.map_err(|error| subject.failed(format!("no temporary file: {error}")))?;
        command.stderr(Stdio::from(handle));
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        tracing::debug!(?command, "starting");
        let child = SharedChild::spawn(&mut command);
        let child = Arc::new(child.map_err(|error| subject.cannot_start(&command, &error))?);
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(child.id(), Arc::clone(&child));
        Ok(Self { child, stderr })
    }

    pub(crate) fn child(&self) -> &SharedChild {
        &self.child
    }

    /// Waits for the end. The status alone is not reliable: ffmpeg exits with 0 after a full disk or a truncated
    /// file, and only its messages show it.
    pub(crate) fn wait(&self) -> io::Result<End> {
        let status = self.child.wait()?;
        let mut stderr = &self.stderr;
        stderr.rewind()?;
        let mut text = Vec::new();
        stderr.read_to_end(&mut text)?;
        let complaints = Complaints::of(&text);
        if complaints.count > 0 {
            tracing::debug!(messages = %String::from_utf8_lossy(&text), "ffmpeg's messages");
        }
        Ok(End { status, complaints })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.child.id());
        // An error means that it has ended already.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How ffmpeg ended.
#[derive(Debug)]
pub(crate) struct End {
    status: ExitStatus,
    pub(crate) complaints: Complaints,
}

impl End {
    /// Whether its status is a failure.
    pub(crate) fn failed(&self) -> bool {
        !self.status.success()
    }

    /// Whether it succeeded without messages.
    pub(crate) fn clean(&self) -> bool {
        self.status.success() && self.complaints.count == 0
    }

    /// Returns the message that explains the end, or the status.
    pub(crate) fn message(&self) -> String {
        let status = || format!("it ended with {}", self.status);
        self.complaints.cause.clone().unwrap_or_else(status)
    }
}

//! Finds and runs ffmpeg, as a process with a pipe.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use crate::{Error, Result};

/// The programs to run; by default `ffmpeg` and `ffprobe` on `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegTools {
    /// Decodes and encodes.
    pub ffmpeg: PathBuf,
    /// Reads the size and the frame rate of an input.
    pub ffprobe: PathBuf,
}

impl Default for FfmpegTools {
    fn default() -> Self {
        Self {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
        }
    }
}

/// The file and format for messages about ffmpeg.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) without: &'static str,
}

impl Subject {
    pub(crate) fn failed(&self, message: impl Into<String>) -> Error {
        Error::Ffmpeg {
            name: self.name.clone(),
            message: message.into(),
        }
    }

    fn cannot_start(&self, command: &Command, error: &io::Error) -> Error {
        let program = command.get_program().to_string_lossy().into_owned();
        if error.kind() == io::ErrorKind::NotFound {
            return Error::NoFfmpeg {
                name: self.name.clone(),
                format: self.format.clone(),
                program,
                without: self.without,
            };
        }
        self.failed(format!("cannot start `{program}`: {error}"))
    }
}

/// A running ffmpeg. It is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stderr: File,
    ended: bool,
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
        let child = command
            .spawn()
            .map_err(|error| subject.cannot_start(&command, &error))?;
        Ok(Self {
            child,
            stderr,
            ended: false,
        })
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits for the end. The status alone is not reliable: ffmpeg exits with 0 after a full disk or a truncated
    /// file, and only its messages show it.
    pub(crate) fn wait(&mut self) -> io::Result<End> {
        let status = self.child.wait()?;
        self.ended = true;
        let mut text = Vec::new();
        self.stderr.rewind()?;
        self.stderr.read_to_end(&mut text)?;
        Ok(End {
            status,
            complaint: last_line(&text),
        })
    }
}

/// How ffmpeg ended.
#[derive(Debug)]
pub(crate) struct End {
    status: ExitStatus,
    complaint: Option<String>,
}

impl End {
    /// Whether its status is a failure.
    pub(crate) fn failed(&self) -> bool {
        !self.status.success()
    }

    /// Whether it succeeded without messages.
    pub(crate) fn clean(&self) -> bool {
        self.status.success() && self.complaint.is_none()
    }

    /// Returns its last message, or its status.
    pub(crate) fn message(self) -> String {
        self.complaint
            .unwrap_or_else(|| format!("it ended with {}", self.status))
    }
}

fn last_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())
        .map(str::to_owned)
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.ended {
            // An error means that it has ended already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Runs `command` to its end and returns its output.
pub(crate) fn output(mut command: Command, subject: &Subject) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| subject.cannot_start(&command, &error))?;
    if !output.status.success() {
        let end = End {
            status: output.status,
            complaint: last_line(&output.stderr),
        };
        return Err(subject.failed(end.message()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Returns the argument for a file or an address; `file:` protects names with a colon or a leading dash.
pub(crate) fn argument(spec: &str) -> String {
    if spec.contains("://") {
        spec.to_owned()
    } else {
        format!("file:{spec}")
    }
}

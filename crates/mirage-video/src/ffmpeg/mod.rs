//! ffmpeg: which programs, what they can do, and one owner for all their processes.

mod messages;
mod probe;
mod process;

use std::{
    io,
    path::PathBuf,
    process::{Command, Stdio},
};

pub use self::process::kill_processes;
pub(crate) use self::{
    messages::Complaints,
    probe::{Probe, Transfer, probe},
    process::Process,
};
use crate::{Error, Result};

/// The programs to run; by default `ffmpeg` and `ffprobe` on `PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FfmpegTools {
    /// Decodes and encodes.
    pub ffmpeg: PathBuf,
    /// Reads the streams, rates and tags of an input.
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

impl FfmpegTools {
    /// Returns the option that keeps times as they are: its name changed with version 5.1.
    pub(crate) fn keep_times(&self, subject: &Subject) -> Result<[&'static str; 2]> {
        let mut command = Command::new(&self.ffmpeg);
        command.arg("-version");
        let text = output(command, subject)?;
        Ok(match version(&text) {
            Some(version) if version < (5, 1) => ["-vsync", "passthrough"],
            _ => ["-fps_mode", "passthrough"],
        })
    }

    /// Returns whether this ffmpeg has all these filters.
    pub(crate) fn has_filters(&self, names: &[&str], subject: &Subject) -> Result<bool> {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-hide_banner", "-v", "error", "-filters"]);
        let list = output(command, subject)?;
        let has = |name: &&str| {
            list.lines()
                .any(|line| line.split_whitespace().nth(1) == Some(name))
        };
        Ok(names.iter().all(has))
    }
}

/// Major and minor version in `ffmpeg version 5.1.9-0+deb12u1 ...` or `n9.0.2-...`; `None` for a build from a snapshot.
fn version(text: &str) -> Option<(u32, u32)> {
    let word = text
        .strip_prefix("ffmpeg version ")?
        .split_whitespace()
        .next()?;
    let mut numbers = word
        .strip_prefix('n')
        .unwrap_or(word)
        .split(['.', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
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

/// Runs `command` to its end and returns its output.
pub(crate) fn output(mut command: Command, subject: &Subject) -> Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let process = Process::start(command, subject)?;
    let mut text = Vec::new();
    if let Some(mut pipe) = process.child().take_stdout() {
        io::Read::read_to_end(&mut pipe, &mut text)
            .map_err(|error| subject.failed(error.to_string()))?;
    }
    let end = process
        .wait()
        .map_err(|error| subject.failed(error.to_string()))?;
    if end.failed() {
        return Err(subject.failed(end.message()));
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the argument for a file or an address; `file:` protects names with a colon or a leading dash. Cameras are
/// recognized by the beginning of their name.
pub(crate) fn argument(spec: &str) -> String {
    if spec.contains("://") || spec.starts_with("/dev/video") {
        spec.to_owned()
    } else {
        format!("file:{spec}")
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read() {
        let of = |text: &str| version(&format!("ffmpeg version {text} Copyright (c)"));
        assert_eq!(of("5.1.9-0+deb12u1"), Some((5, 1)));
        assert_eq!(of("n9.0.2-17-g2a571b6068-20260930"), Some((9, 0)));
        assert_eq!(of("4.4.2"), Some((4, 4)));
        assert_eq!(of("N-112233-gabcdef"), None);
    }
}

//! Running the program, and videos to run it on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use mirage_video::{Source, SourceOptions, open_source};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of a test's own, in which the program runs.
pub(crate) struct Place(TempDir);

/// How a process ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Flags of a small and quick run.
pub(crate) const SMALL: [&str; 7] = ["run", "--size", "32x32", "--steps", "1", "--compare", "0"];

impl Place {
    pub(crate) fn new() -> Self {
        Place(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mirage"));
        command
            .current_dir(&self.0)
            .env_remove("MIRAGE_LOG")
            .env_remove("MIRAGE_PLUGIN_PATH")
            .env("XDG_DATA_HOME", self.path("data"))
            .env("COLUMNS", "100");
        command
    }

    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
    ) -> Ended {
        Ended::of(self.command().args(args).output().unwrap())
    }

    /// A small run with more flags.
    pub(crate) fn small(&self, more: &[&str]) -> Ended {
        self.run(SMALL.iter().chain(more))
    }

    /// The names in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let name = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = fs::read_dir(&self.0).unwrap().map(name).collect();
        names.sort();
        names
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Width, height and number of frames of a video, all of them decoded.
    pub(crate) fn video(&self, name: &str) -> (u32, u32, usize) {
        frames_of(&self.path(name))
    }

    /// Writes a y4m of moving bars.
    pub(crate) fn y4m(&self, name: &str, width: usize, height: usize, frames: usize) {
        let mut bytes =
            format!("YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420jpeg\n").into_bytes();
        let chroma = 2 * width.div_ceil(2) * height.div_ceil(2);
        for frame in 0..frames {
            bytes.extend(b"FRAME\n");
            bytes.extend(
                (0..width * height).map(|i| (40 + (i % width + 3 * frame) * 7 % 160) as u8),
            );
            bytes.extend(std::iter::repeat_n(128, chroma));
        }
        self.write(name, bytes);
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// That it did what it was asked.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// That it failed with this code and one line that has these words.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert!(
            self.stdout.is_empty(),
            "a failure says nothing on standard output"
        );
        let is_note = |line: &&str| line.starts_with("note: ");
        let errors: Vec<&str> = self.stderr.lines().filter(|l| !is_note(l)).collect();
        let is_one = errors.len() == 1 && errors[0].starts_with("error: ");
        assert!(is_one, "{}", self.stderr);
        for word in words {
            assert!(
                self.stderr.contains(word),
                "`{word}` is not in: {}",
                self.stderr
            );
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn parsed(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

pub(crate) fn frames_of(path: &Path) -> (u32, u32, usize) {
    let mut source: Box<dyn Source + Send> =
        open_source(path.to_str().unwrap(), &SourceOptions::default()).unwrap();
    let (width, height) = (source.info().width, source.info().height);
    let mut frames = 0;
    while let Some(frame) = source.next_frame().unwrap() {
        assert_eq!((frame.width(), frame.height()), (width, height));
        frames += 1;
    }
    (width, height, frames)
}

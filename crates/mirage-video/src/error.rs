//! The error type of the crate. Every message says what, where, and what to do.

use std::{io, path::PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading or writing video. `name` is the file as given, or `standard input`,
/// `standard output` or `scene`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input path does not exist, or a pattern matches nothing.
    #[error("{name}: no such file; check the path (the built-in test video is `scene`)")]
    NotFound {
        /// The input as given.
        name: String,
    },

    /// The input exists but cannot be opened or read.
    #[error("{name}: cannot read: {source}")]
    Read {
        /// The input as given.
        name: String,
        /// The system's error.
        source: io::Error,
    },

    /// A folder without images.
    #[error("{name}: no images in this folder; it must contain {formats}")]
    NoImages {
        /// The folder as given.
        name: String,
        /// The formats that are read.
        formats: &'static str,
    },

    /// A container whose streams have no moving picture.
    #[error("{name}: this file has {found}; a video is needed")]
    NoVideo {
        /// The input as given.
        name: String,
        /// What the file has instead.
        found: &'static str,
    },

    /// The input has no bytes.
    #[error("{name}: the input is empty; a video needs at least one frame")]
    Empty {
        /// The input as given.
        name: String,
    },

    /// A valid container without frames.
    #[error("{name}: the {format} has no frames; a video needs at least one")]
    NoFrames {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
    },

    /// The bytes are invalid for the format.
    #[error("{name}: invalid {format} file, at frame {frame}: {what}")]
    Malformed {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
        /// Frames read before the error.
        frame: u64,
        /// What is wrong.
        what: String,
    },

    /// The input is truncated.
    #[error("{name}: the {format} file is truncated after {frame} complete frames; copy it again")]
    Truncated {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
        /// Complete frames before the end.
        frame: u64,
    },

    /// An invalid width or height.
    #[error(
        "{name}: invalid frame size {width}x{height}; each side must be 1 to {} and the area at most {} pixels",
        crate::MAX_SIDE,
        crate::MAX_PIXELS
    )]
    BadSize {
        /// The source of the size.
        name: String,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },

    /// A frame whose size differs from the stream's.
    #[error("{name}: frame {frame} is {got}, but the others are {want}; resize them to one size")]
    FrameSize {
        /// The stream.
        name: String,
        /// Index of the frame.
        frame: u64,
        /// Size of this frame, `WxH`.
        got: String,
        /// Size of the stream, `WxH`.
        want: String,
    },

    /// A buffer whose length does not match the frame.
    #[error("a {width}x{height} frame has {want} values, but the buffer has {got}")]
    BufferLength {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Length of the buffer.
        got: usize,
        /// Expected length.
        want: usize,
    },

    /// Two frames to be compared differ in size.
    #[error("cannot compare a {left} frame with a {right} frame; resize one of them first")]
    Mismatch {
        /// Size of the first, `WxH`.
        left: String,
        /// Size of the second, `WxH`.
        right: String,
    },

    /// An option with an invalid value.
    #[error("{what}")]
    BadOption {
        /// What is wrong, and what is expected.
        what: String,
    },

    /// An output whose name has no known format.
    #[error("{name}: cannot determine the video format from the name; use one of {supported}")]
    UnknownOutput {
        /// The output as given.
        name: String,
        /// The supported names.
        supported: String,
    },

    /// A format that needs ffmpeg, which is not installed.
    #[error(
        "{name}: {format} needs `{program}`, which is not on PATH; install ffmpeg, or use {without}"
    )]
    NoFfmpeg {
        /// The file as given.
        name: String,
        /// The format by its extension.
        format: String,
        /// The missing program.
        program: String,
        /// Formats that do not need it.
        without: &'static str,
    },

    /// ffmpeg failed.
    #[error("{name}: ffmpeg failed: {message}")]
    Ffmpeg {
        /// The file as given.
        name: String,
        /// ffmpeg's last message.
        message: String,
    },

    /// This ffmpeg has no encoder for the format.
    #[error(
        "{name}: this ffmpeg has none of the encoders {encoders}; install a full build, or write .gif or .y4m"
    )]
    NoEncoder {
        /// The output as given.
        name: String,
        /// The encoders that can be used.
        encoders: String,
    },

    /// The folder of the output does not exist.
    #[error("{name}: cannot create: there is no folder {}; create it or give another path", folder.display())]
    NoFolder {
        /// The output as given.
        name: String,
        /// The missing folder.
        folder: PathBuf,
    },

    /// The output cannot be created.
    #[error("{name}: cannot create: {source}; check that the folder exists and is writable")]
    Create {
        /// The output as given.
        name: String,
        /// The system's error.
        source: io::Error,
    },

    /// Writing failed; the temporary file was removed.
    #[error("{name}: cannot write frame {frame}: {source}; no file was written")]
    Write {
        /// The output as given.
        name: String,
        /// Frames written before.
        frame: u64,
        /// The system's error.
        source: io::Error,
    },

    /// The output is a folder, or a pattern in one, that has images already.
    #[error("{name}: {found} exists already; use a new folder or empty this one")]
    Occupied {
        /// The output as given.
        name: String,
        /// The existing file.
        found: PathBuf,
    },

    /// An output for one image got a second frame.
    #[error(
        "{name}: an image has one frame; use a folder (`frames/`) or a pattern (`frames/%04d.png`)"
    )]
    OneImage {
        /// The output as given.
        name: String,
    },

    /// There were no frames, so no file was written.
    #[error("{name}: there were no frames, so no file was written")]
    NothingWritten {
        /// The output as given.
        name: String,
    },

    /// The frame's processor returned an error.
    #[error("frame {frame}: {source}")]
    Process {
        /// Index of the frame.
        frame: u64,
        /// The processor's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A stage of the pipeline panicked.
    #[error("the {stage} stage panicked: {message}; this is a bug, please report it")]
    Panicked {
        /// `decode`, `run` or `encode`.
        stage: &'static str,
        /// The panic's message.
        message: String,
    },
}

//! The one error type of the crate. Every message says what, where, and what to do next.

use std::{io, path::PathBuf};

/// Result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a file and a frame. `name` is the file as the user wrote it, or
/// `standard input` / `standard output` / `scene`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input path does not exist, or a pattern matches nothing.
    #[error("{name}: no such file; check the path (the built-in test video is called `scene`)")]
    NotFound {
        /// The input as given.
        name: String,
    },

    /// The input exists but cannot be opened or read.
    #[error("{name}: cannot read it: {source}")]
    Read {
        /// The input as given.
        name: String,
        /// What the system said.
        source: io::Error,
    },

    /// The input has no bytes at all, or a folder or pattern holds no image.
    #[error("{name}: it is empty; a video needs at least one frame")]
    Empty {
        /// The input as given.
        name: String,
    },

    /// A well-formed container without a single frame in it.
    #[error("{name}: the {format} holds no frame; a video needs at least one")]
    NoFrames {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
    },

    /// The bytes are not what the format says they must be.
    #[error("{name}: not a {format} file that can be read, at frame {frame}: {what}")]
    Malformed {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
        /// Frames read before the fault.
        frame: u64,
        /// What is wrong.
        what: String,
    },

    /// The input ends in the middle of something.
    #[error("{name}: the {format} file is cut off after {frame} whole frames; copy it again")]
    Truncated {
        /// The input as given.
        name: String,
        /// The format it was read as.
        format: &'static str,
        /// Whole frames before the end.
        frame: u64,
    },

    /// A width or height that no frame can have.
    #[error(
        "{name}: {width}x{height} is no size for a frame; each side is 1 to {} and the area at most {} pixels",
        crate::MAX_SIDE,
        crate::MAX_PIXELS
    )]
    BadSize {
        /// Where the size came from.
        name: String,
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
    },

    /// A frame of another size than the stream began with.
    #[error("{name}: frame {frame} is {got}, the others are {want}; make them one size first")]
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

    /// A buffer whose length does not fit the frame.
    #[error("a {width}x{height} frame takes {want} values, the buffer has {got}")]
    BufferLength {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Length of the buffer.
        got: usize,
        /// Length that fits.
        want: usize,
    },

    /// Two frames that were to be compared differ in size.
    #[error("cannot compare a {left} frame with a {right} frame; resize one of them first")]
    Mismatch {
        /// Size of the first, `WxH`.
        left: String,
        /// Size of the second, `WxH`.
        right: String,
    },

    /// NaN or infinite values where a picture was expected.
    #[error(
        "frame {frame}: {count} of {total} values are NaN or infinite, the first at {first}; \
         a pass or a dtype lost the range (try without fp16)"
    )]
    NotFinite {
        /// Index of the frame.
        frame: u64,
        /// How many values.
        count: usize,
        /// Of how many.
        total: usize,
        /// Index of the first one.
        first: usize,
    },

    /// An option with a value that makes no sense.
    #[error("{what}")]
    BadOption {
        /// What, and what it should be.
        what: String,
    },

    /// An output whose name says no known format.
    #[error("{name}: cannot tell the video format from the name; use one of {supported}")]
    UnknownOutput {
        /// The output as given.
        name: String,
        /// The names that work.
        supported: String,
    },

    /// A format that needs ffmpeg, on a machine without it.
    #[error(
        "{name}: {format} needs `{program}`, which is not on PATH; install ffmpeg, or use {without}, which need nothing"
    )]
    NoFfmpeg {
        /// The file as given.
        name: String,
        /// The format by its extension.
        format: String,
        /// The program that was looked for.
        program: String,
        /// Formats that work without.
        without: &'static str,
    },

    /// ffmpeg ran and failed.
    #[error("{name}: ffmpeg failed: {message}")]
    Ffmpeg {
        /// The file as given.
        name: String,
        /// ffmpeg's last words.
        message: String,
    },

    /// This ffmpeg was built without any encoder for the format.
    #[error(
        "{name}: this ffmpeg has none of the encoders {encoders}; install a full build, or write .gif or .y4m"
    )]
    NoEncoder {
        /// The output as given.
        name: String,
        /// The encoders that would do.
        encoders: String,
    },

    /// The output cannot be created.
    #[error("{name}: cannot create it: {source}; check that the folder exists and can be written")]
    Create {
        /// The output as given.
        name: String,
        /// What the system said.
        source: io::Error,
    },

    /// Writing failed; what was written under a temporary name is gone.
    #[error("{name}: cannot write frame {frame}: {source}; nothing was left under that name")]
    Write {
        /// The output as given.
        name: String,
        /// Frames written before.
        frame: u64,
        /// What the system said.
        source: io::Error,
    },

    /// The output is a folder (or a pattern in one) with files in it already.
    #[error(
        "{name}: {found} is there already; images are never mixed with older ones: name a new folder or empty this one"
    )]
    Occupied {
        /// The output as given.
        name: String,
        /// A file that is in the way.
        found: PathBuf,
    },

    /// An output for one image got a second frame.
    #[error(
        "{name}: one image holds one frame; name a folder (`frames/`) or a pattern (`frames/%04d.png`)"
    )]
    OneImage {
        /// The output as given.
        name: String,
    },

    /// Nothing was written, so no file was made.
    #[error("{name}: no frame came out, so no file was written")]
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

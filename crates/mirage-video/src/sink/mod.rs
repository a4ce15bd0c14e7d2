//! Where frames go.

mod ffmpeg;
mod file;
mod gif;
mod png;
mod y4m;

use std::path::PathBuf;

use crate::{ColorMatrix, ColorRange, Error, FfmpegTools, Frame, Result, SinkFormat, VideoInfo};

/// What a finished sink made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Frames in the file.
    pub frames: u64,
    /// Bytes on disk (or sent, for a pipe).
    pub bytes: u64,
    /// The file or folder; `-` for standard output.
    pub path: PathBuf,
}

/// A video being written. Nothing is there under its final name before [`Sink::finish`]; a sink
/// that is dropped or aborted removes what it wrote.
pub trait Sink {
    /// Appends a frame.
    ///
    /// # Errors
    /// [`Error::FrameSize`] for a frame of another size, [`Error::Write`] and the like. After an
    /// error the sink can only be aborted.
    fn write_frame(&mut self, frame: &Frame) -> Result<()>;

    /// Completes the file, waits until it is on the disk, and gives it its name.
    ///
    /// # Errors
    /// [`Error::NothingWritten`] without any frame; else whatever kept the file from being whole.
    fn finish(self: Box<Self>) -> Result<Summary>;

    /// Throws away what was written.
    fn abort(self: Box<Self>) {
        drop(self);
    }
}

/// Chroma of a y4m output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Y4mSampling {
    /// A chroma sample for 2x2 pixels, in their middle: what every program reads.
    #[default]
    S420,
    /// A chroma sample for every pixel.
    S444,
}

/// What [`open_sink`] needs to know beyond the name and the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkOptions {
    /// The format; by default what the name says.
    pub format: Option<SinkFormat>,
    /// Chroma of y4m.
    pub sampling: Y4mSampling,
    /// Range of y4m; full range is marked in the header.
    pub range: ColorRange,
    /// Matrix of y4m and of ffmpeg's formats; by default by the size.
    pub matrix: Option<ColorMatrix>,
    /// GIF's search for a palette looks at every n-th pixel: 1 (best) to 30 (fastest); by default
    /// so that it sees some 13 000 pixels of every frame.
    pub gif_speed: Option<u8>,
    /// Where ffmpeg is.
    pub ffmpeg: FfmpegTools,
}

/// Opens `spec` for frames of `info`'s size and rate: `.gif`, `.y4m`, `-` (y4m on standard
/// output), `frames/` or `frames/%04d.png`, and through ffmpeg `.mp4`, `.mkv`, `.webm`.
///
/// # Errors
/// An unknown format, a folder that is missing or cannot be written, images in the way, no ffmpeg
/// or no encoder, a size that the format cannot hold.
pub fn open_sink(
    spec: &str,
    info: &VideoInfo,
    options: &SinkOptions,
) -> Result<Box<dyn Sink + Send>> {
    info.check()?;
    let format = options
        .format
        .or_else(|| SinkFormat::of(spec))
        .ok_or_else(|| Error::UnknownOutput {
            name: spec.to_owned(),
            supported: SinkFormat::supported(),
        })?;
    Ok(match format {
        SinkFormat::Y4m => Box::new(y4m::Y4mSink::open(spec, info, options)?),
        SinkFormat::Gif => Box::new(gif::GifSink::open(spec, info, options)?),
        SinkFormat::Png => Box::new(png::PngSink::open(spec, info)?),
        SinkFormat::Mp4 | SinkFormat::Mkv | SinkFormat::Webm => {
            Box::new(ffmpeg::FfmpegSink::open(spec, format, info, options)?)
        }
    })
}

/// The size every frame of a sink must have, and the frames it took.
struct Expect {
    name: String,
    width: u32,
    height: u32,
    frames: u64,
}

impl Expect {
    fn new(name: &str, info: &VideoInfo) -> Self {
        Self {
            name: name.to_owned(),
            width: info.width,
            height: info.height,
            frames: 0,
        }
    }

    fn check(&self, frame: &Frame) -> Result<()> {
        if (frame.width(), frame.height()) == (self.width, self.height) {
            return Ok(());
        }
        Err(Error::FrameSize {
            name: self.name.clone(),
            frame: self.frames,
            got: frame.size(),
            want: format!("{}x{}", self.width, self.height),
        })
    }

    fn some(&self) -> Result<()> {
        match self.frames {
            0 => Err(Error::NothingWritten {
                name: self.name.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn write_error(&self, source: std::io::Error) -> Error {
        Error::Write {
            name: self.name.clone(),
            frame: self.frames,
            source: file::plain(source),
        }
    }
}

//! Sinks: outputs of frames.

mod ffmpeg;
mod file;
mod gif;
mod png;
mod y4m;

use std::{path::PathBuf, time::Duration};

use crate::{ColorMatrix, ColorRange, Error, FfmpegTools, Frame, Result, SinkFormat, VideoInfo};

/// The result of a finished sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Frames in the file, with repeated ones.
    pub frames: u64,
    /// Frames that repeat the one before them, because the format has a constant rate.
    pub repeated: u64,
    /// Bytes on disk (or sent, for a pipe).
    pub bytes: u64,
    /// The file or folder; `-` for standard output.
    pub path: PathBuf,
    /// What the user should know about the output, in full sentences.
    pub notes: Vec<String>,
}

/// What a sink did with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the output.
    Kept,
    /// It is not, because the format cannot show frames so fast; the one before it is shown instead.
    Merged,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// When the last frame ends.
    pub time: Duration,
    /// Whether the input goes on behind it, so that its sound has to end here.
    pub cut: bool,
}

/// A video output. Each frame is shown from its time to the time of the next one; the first frame is shown from the
/// beginning. Formats with a constant rate repeat frames. Its final name does not exist before [`Sink::finish`]; a sink that is dropped or aborted
/// removes what it wrote.
pub trait Sink {
    /// Appends a frame.
    ///
    /// # Errors
    /// [`Error::FrameSize`] for a frame of another size, or an error of writing. After an error the sink can
    /// only be aborted.
    fn write_frame(&mut self, frame: &Frame) -> Result<Written>;

    /// Completes the file, syncs it to disk, and renames it to its final name.
    ///
    /// # Errors
    /// [`Error::NothingWritten`] without any frame, or an error of writing.
    fn finish(self: Box<Self>, end: End) -> Result<Summary>;

    /// Discards what was written.
    fn abort(self: Box<Self>) {
        drop(self);
    }
}

/// Chroma of a y4m output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Y4mSampling {
    /// A chroma sample for 2x2 pixels, at their centre, which every program supports.
    #[default]
    S420,
    /// A chroma sample for every pixel.
    S444,
}

/// Options of [`open_sink`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkOptions {
    /// The format; by default determined by the name.
    pub format: Option<SinkFormat>,
    /// Chroma of y4m.
    pub sampling: Y4mSampling,
    /// Range of y4m; full range is marked in the header.
    pub range: ColorRange,
    /// Matrix of y4m and of ffmpeg's formats. By default BT.601 in y4m, which has no tag for it and which other programs
    /// read so; otherwise by the size.
    pub matrix: Option<ColorMatrix>,
    /// Leave the sound of the input out.
    pub no_audio: bool,
    /// GIF's palette search uses every n-th pixel: 1 (best) to 30 (fastest); the default gives about
    /// 13 000 pixels of every frame.
    pub gif_speed: Option<u8>,
    /// The ffmpeg programs.
    pub ffmpeg: FfmpegTools,
}

/// Opens `spec` for frames of `info`'s size, rate and sound: `.gif`, `.y4m`, `-` (y4m on standard
/// output), `frames/` or `frames/%04d.png`, and through ffmpeg `.mp4`, `.mkv`, `.webm`.
///
/// # Errors
/// If the format is unknown, the folder is missing or not writable or has images already, ffmpeg or its
/// encoder is missing, or the format does not support the size.
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
        SinkFormat::Png => Box::new(png::PngSink::open(spec, info, options)?),
        SinkFormat::Mp4 | SinkFormat::Mkv | SinkFormat::Webm => {
            Box::new(ffmpeg::FfmpegSink::open(spec, format, info, options)?)
        }
    })
}

/// Returns notes on what formats without sound and without shapes of pixels lose.
fn lost(spec: &str, info: &VideoInfo, options: &SinkOptions, keeps_aspect: bool) -> Vec<String> {
    let name = match spec {
        "-" => "y4m",
        _ => spec,
    };
    let mut notes = Vec::new();
    if let (Some(sound), false) = (&info.sound, options.no_audio) {
        let tracks = sound.codecs.len();
        let what = if tracks == 1 {
            "the sound".to_owned()
        } else {
            format!("{tracks} tracks of sound")
        };
        notes.push(format!(
            "{what} of the input cannot be stored in {name}; write .mp4, .mkv or .webm to keep it, or pass --no-audio"
        ));
    }
    if !keeps_aspect && !info.is_square() {
        notes.push(format!(
            "the input's pixels are {} times as wide as high, which {name} cannot say, so the picture looks distorted; pass --square-pixels",
            info.pixel_aspect
        ));
    }
    notes
}

/// The frame size of a sink, and the number of its frames.
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

//! Sources of frames.

mod animated;
mod ffmpeg;
mod gif;
mod images;
mod limit;
mod once;
mod scene;
mod square;
mod tolerant;
mod y4m;

use std::{fs, io, time::Duration};

pub use self::scene::Scene;
pub(crate) use self::{images::TIMES, square::resized_aspect};
use crate::{ColorMatrix, Error, FfmpegTools, Frame, Rational, Result, SourceFormat, VideoInfo};

/// A stream of frames of one size.
pub trait Source {
    /// Size, rate and name; the same for the whole stream.
    fn info(&self) -> &VideoInfo;

    /// Returns the next frame, with indices from 0; `None` at the end.
    ///
    /// # Errors
    /// If the input is invalid. After an error the source is at its end.
    fn next_frame(&mut self) -> Result<Option<Frame>>;

    /// Returns how the stream ended, after its end.
    fn ending(&self) -> Ending {
        Ending::default()
    }
}

/// How a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The end of the last frame, from the beginning of the stream; `None` if the stream does not state it, so that the
    /// last frame is as long as the rate says.
    pub end: Option<Duration>,
    /// Whether the stream goes on behind the last frame.
    pub cut: bool,
    /// What was damaged.
    pub damage: Option<Damage>,
}

/// Damage of an input, of which the rest was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The number of complaints of the decoder.
    pub count: u64,
    /// The first complaint.
    pub first: String,
}

/// Options of [`open_source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOptions {
    /// Maximum number of frames. `None` for all (the scene has no end).
    pub frames: Option<u64>,
    /// Frames per second of inputs without a rate: the scene (default 24) and images (25).
    pub fps: Option<Rational>,
    /// Width and height of the scene, in pixels.
    pub scene_size: (u32, u32),
    /// Seed of the scene.
    pub seed: u64,
    /// Colour matrix of y4m, which does not state it; by default BT.601, as in ffmpeg.
    pub matrix: Option<ColorMatrix>,
    /// Resize frames to square pixels.
    pub square_pixels: bool,
    /// Deliver frames no faster than the frame rate, like a camera.
    pub realtime: bool,
    /// The ffmpeg and ffprobe programs.
    pub ffmpeg: FfmpegTools,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            frames: None,
            fps: None,
            scene_size: (320, 192),
            seed: 0,
            matrix: None,
            square_pixels: false,
            realtime: false,
            ffmpeg: FfmpegTools::default(),
        }
    }
}

/// Opens `spec`: `scene`, `-` (standard input), a `.y4m` or `.gif` file, an image, a folder
/// or pattern of images (`frames/`, `frames/%04d.png`, `frames/*.jpg`), and through ffmpeg
/// anything else, addresses (`rtsp://...`) and pipes too. The content of a file decides, not its name.
///
/// Damage behind the first frame ends the stream or leaves frames out, and is in [`Source::ending`].
///
/// # Errors
/// If the input cannot be opened or its header is invalid.
pub fn open_source(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source + Send>> {
    if options.frames == Some(0) {
        return Err(Error::BadOption {
            what: "a video of 0 frames: at least 1 is required".into(),
        });
    }
    let source: Box<dyn Source + Send> = match once::reader(spec)? {
        Some(reader) => once::open(spec, reader, options)?,
        None => match SourceFormat::detect(spec) {
            SourceFormat::Scene => Box::new(Scene::new(options)?),
            SourceFormat::Y4m => y4m::open(spec, options)?,
            SourceFormat::Gif => Box::new(gif::GifSource::open(spec)?),
            SourceFormat::Animated(kind) => Box::new(animated::AnimatedSource::open(spec, kind)?),
            SourceFormat::Images => images::open(spec, options)?,
            SourceFormat::Ffmpeg => {
                let input = ffmpeg::Input::Named;
                Box::new(ffmpeg::FfmpegSource::open(spec, options, input)?)
            }
        },
    };
    let mut source = tolerant::wrap(source);
    if options.square_pixels {
        source = square::wrap(source);
    }
    Ok(limit::wrap(source, options.frames, options.realtime))
}

/// Opens a file for reading; an error if it is missing, a folder, or empty.
fn open_file(name: &str) -> Result<fs::File> {
    let file = fs::File::open(name).map_err(|error| read_error(name, error))?;
    let metadata = file.metadata().map_err(|error| read_error(name, error))?;
    if metadata.is_dir() {
        return Err(read_error(name, io::Error::other("it is a folder")));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(Error::Empty {
            name: name.to_owned(),
        });
    }
    Ok(file)
}

fn read_error(name: &str, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound {
            name: name.to_owned(),
        },
        _ => Error::Read {
            name: name.to_owned(),
            source,
        },
    }
}

//! Sources of frames.

mod ffmpeg;
mod gif;
mod images;
mod limit;
mod scene;
mod y4m;

use std::{fs, io};

pub use self::scene::Scene;
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
    /// Colour matrix of y4m, which does not state it; by default by the size.
    pub matrix: Option<ColorMatrix>,
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
            realtime: false,
            ffmpeg: FfmpegTools::default(),
        }
    }
}

/// Opens `spec`: `scene`, `-` (y4m on standard input), a `.y4m` or `.gif` file, an image, a folder
/// or pattern of images (`frames/`, `frames/%04d.png`, `frames/*.jpg`), and through ffmpeg
/// anything else, addresses (`rtsp://...`) too.
///
/// # Errors
/// If the input cannot be opened or its header is invalid.
pub fn open_source(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source + Send>> {
    if options.frames == Some(0) {
        return Err(Error::BadOption {
            what: "a video of 0 frames: at least 1 is required".into(),
        });
    }
    let source: Box<dyn Source + Send> = match SourceFormat::of(spec) {
        SourceFormat::Scene => Box::new(Scene::new(options)?),
        SourceFormat::Y4m => y4m::open(spec, options)?,
        SourceFormat::Gif => Box::new(gif::GifSource::open(spec)?),
        SourceFormat::Images => Box::new(images::ImagesSource::open(spec, options)?),
        SourceFormat::Ffmpeg => Box::new(ffmpeg::FfmpegSource::open(spec, options)?),
    };
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

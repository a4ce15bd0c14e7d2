//! PNG and JPEG: one image, a folder, or a pattern.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};

use super::{Source, SourceOptions, open_file, read_error};
use crate::{
    Error, Frame, Rational, Result, VideoInfo,
    format::extension,
    frame::checked_len,
    path::{Numbered, natural_key, parent},
};

const FORMAT: &str = "PNG or JPEG";

/// Images of one size, in the order of the numbers in their names. Transparency is composited over black,
/// and the orientation of cameras is applied.
pub(super) struct ImagesSource {
    info: VideoInfo,
    files: std::vec::IntoIter<PathBuf>,
    /// The first image, which is decoded for its size.
    first: Option<Frame>,
    next: u64,
}

impl ImagesSource {
    pub(super) fn open(spec: &str, options: &SourceOptions) -> Result<Self> {
        let files = files(spec)?;
        let Some(first) = files.first() else {
            return Err(Error::NoImages {
                name: spec.to_owned(),
                formats: FORMAT,
            });
        };
        let first = decode(first)?;
        let fps = options.fps.or(Rational::whole(25));
        let fps = fps.ok_or_else(|| Error::BadOption {
            what: "a frame rate of 0".into(),
        })?;
        let info = VideoInfo {
            width: first.width(),
            height: first.height(),
            fps,
            frames: Some(files.len() as u64),
            name: spec.to_owned(),
        };
        let mut files = files.into_iter();
        files.next();
        Ok(Self {
            info,
            files,
            first: Some(first),
            next: 0,
        })
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        let (mut frame, name) = match self.first.take() {
            Some(first) => (first, String::new()),
            None => match self.files.next() {
                Some(path) => (decode(&path)?, path.display().to_string()),
                None => return Ok(None),
            },
        };
        if (frame.width(), frame.height()) != (self.info.width, self.info.height) {
            return Err(Error::FrameSize {
                name,
                frame: self.next,
                got: frame.size(),
                want: format!("{}x{}", self.info.width, self.info.height),
            });
        }
        frame.index = self.next;
        self.next += 1;
        Ok(Some(frame))
    }
}

impl Source for ImagesSource {
    fn info(&self) -> &VideoInfo {
        &self.info
    }

    fn next_frame(&mut self) -> Result<Option<Frame>> {
        let frame = self.read();
        if frame.is_err() {
            self.files = Vec::new().into_iter();
        }
        frame
    }
}

/// Returns the files of `spec`, in order.
fn files(spec: &str) -> Result<Vec<PathBuf>> {
    let path = Path::new(spec);
    // An existing file takes precedence over the same name as a pattern.
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = if path.is_dir() {
        list(path, spec)?
            .into_iter()
            .filter(|file| {
                matches!(
                    extension(&file.to_string_lossy()).as_str(),
                    "png" | "jpg" | "jpeg"
                )
            })
            .collect()
    } else if let Some(pattern) = Numbered::parse(path) {
        let folder = parent(path);
        if !folder.is_dir() {
            return Err(Error::NotFound {
                name: spec.to_owned(),
            });
        }
        let mut found = list(folder, spec)?;
        found.retain(|file| {
            file.file_name()
                .is_some_and(|n| pattern.matches(&n.to_string_lossy()))
        });
        found
    } else if spec.contains(['*', '?', '[']) {
        let matches = glob::glob(spec).map_err(|error| Error::BadOption {
            what: format!("{spec}: not a pattern: {error}"),
        })?;
        matches
            .filter_map(std::result::Result::ok)
            .filter(|file| file.is_file())
            .collect()
    } else {
        return Err(Error::NotFound {
            name: spec.to_owned(),
        });
    };
    if found.is_empty() && !path.is_dir() {
        return Err(Error::NotFound {
            name: spec.to_owned(),
        });
    }
    found.sort_by_cached_key(|file| natural_key(&file.to_string_lossy()));
    Ok(found)
}

fn list(folder: &Path, spec: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| read_error(spec, error))?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect())
}

/// Decodes one file as PNG or JPEG by its content, not its extension.
fn decode(path: &Path) -> Result<Frame> {
    let name = path.display().to_string();
    let file = open_file(&name)?;
    let decoded = (|| {
        let reader = ImageReader::new(io::BufReader::new(file)).with_guessed_format()?;
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        if checked_len(&name, width.into(), height.into()).is_err() {
            return Ok(Err((width, height)));
        }
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok(Ok(image))
    })();
    match decoded {
        Ok(Ok(image)) => {
            let (width, height) = (image.width(), image.height());
            Frame::from_rgb(width, height, 0, over_black(image))
        }
        Ok(Err((width, height))) => Err(Error::BadSize {
            name,
            width: width.into(),
            height: height.into(),
        }),
        Err(error) => Err(fault(name, error)),
    }
}

fn over_black(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let rgba = image.into_rgba8();
    let blend = |value: u8, alpha: u8| (u16::from(value) * u16::from(alpha)).div_ceil(255) as u8;
    rgba.pixels()
        .flat_map(|p| [blend(p[0], p[3]), blend(p[1], p[3]), blend(p[2], p[3])])
        .collect()
}

fn fault(name: String, error: ImageError) -> Error {
    match error {
        ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Error::Truncated {
                name,
                format: FORMAT,
                frame: 0,
            }
        }
        ImageError::IoError(source) => Error::Read { name, source },
        other => Error::Malformed {
            name,
            format: FORMAT,
            frame: 0,
            what: other.to_string(),
        },
    }
}

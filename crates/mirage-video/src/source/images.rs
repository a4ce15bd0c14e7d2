//! Still images: one, a folder, or a pattern.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};

use super::{
    Damage, Ending, Source, SourceOptions,
    animated::AnimatedSource,
    ffmpeg::{self, FfmpegSource},
    open_file, read_error,
};
use crate::{
    Error, Frame, Rational, Result, SourceFormat, VideoInfo,
    format::{IMAGES, extension},
    frame::checked_len,
    path::{Numbered, natural_key, parent},
};

const FORMAT: &str = "image";
/// Formats, for messages.
const FORMATS: &str = "PNG, JPEG, WebP, BMP, TIFF, TGA, QOI or PNM";
/// The file beside images that says their times: milliseconds, a line for each image and one for the end, as mkvmerge's
/// timestamp format v2.
pub(crate) const TIMES: &str = "timestamps.txt";

/// Opens an image, a folder or a pattern. Of a single image that is animated, all frames are read.
pub(super) fn open(spec: &str, options: &SourceOptions) -> Result<Box<dyn Source + Send>> {
    let files = files(spec)?;
    if let [file] = files.as_slice()
        && let name = file.to_string_lossy()
        && let SourceFormat::Animated(kind) = SourceFormat::detect(&name)
    {
        return Ok(Box::new(AnimatedSource::open(&name, kind)?));
    }
    Ok(Box::new(ImagesSource::open(spec, files, options)?))
}

/// Images of one size, in the order of the numbers in their names. Transparency is composited over black,
/// and the orientation of cameras is applied. Damaged images are left out; the one before is shown in their place.
struct ImagesSource {
    info: VideoInfo,
    files: std::vec::IntoIter<PathBuf>,
    /// The first image, which is decoded for its size.
    first: Option<Frame>,
    next: u64,
    /// Times of all images and of the end, if they have no constant rate.
    times: Option<Vec<Duration>>,
    damage: Option<Damage>,
    options: SourceOptions,
}

impl ImagesSource {
    fn open(spec: &str, files: Vec<PathBuf>, options: &SourceOptions) -> Result<Self> {
        let Some(path) = files.first() else {
            return Err(Error::NoImages {
                name: spec.to_owned(),
                formats: FORMATS,
            });
        };
        let first = decode(path, options)?;
        let fps = options.fps.or(Rational::whole(25));
        let fps = fps.ok_or_else(|| Error::BadOption {
            what: "a frame rate of 0".into(),
        })?;
        let mut info = VideoInfo::new(spec, first.width(), first.height(), fps);
        info.frames = Some(files.len() as u64);
        info.notes.extend(gaps(&files));
        let animated = files.iter().filter(|file| {
            matches!(
                SourceFormat::detect(&file.to_string_lossy()),
                SourceFormat::Animated(_)
            )
        });
        let animated = animated.count();
        if animated > 0 {
            info.notes.push(format!(
                "{animated} of the {} images are animated; only the first frame of each is read",
                files.len()
            ));
        }
        let times = match options.fps {
            None => times(parent(path), files.len(), &mut info),
            Some(_) => None,
        };
        if let Some(times) = &times {
            let end = times.last().copied().unwrap_or_default();
            let mean = Rational::new(1_000_000 * files.len() as u64, end.as_micros() as u64);
            (info.fps, info.variable) = (mean.unwrap_or(fps), true);
            info.grid = grid(times).unwrap_or(info.fps);
        }
        let mut files = files.into_iter();
        files.next();
        Ok(Self {
            info,
            files,
            first: Some(first),
            next: 0,
            times,
            damage: None,
            options: options.clone(),
        })
    }

    fn read(&mut self) -> Result<Option<Frame>> {
        loop {
            let (frame, name) = match self.first.take() {
                Some(first) => (Ok(first), String::new()),
                None => match self.files.next() {
                    Some(path) => (decode(&path, &self.options), path.display().to_string()),
                    None => return Ok(None),
                },
            };
            let index = self.next;
            self.next += 1;
            let mut frame = match frame {
                Ok(frame) => frame,
                Err(
                    error @ (Error::Truncated { .. }
                    | Error::Malformed { .. }
                    | Error::Empty { .. }),
                ) => {
                    let damage = self.damage.get_or_insert_with(|| Damage {
                        count: 0,
                        first: error.to_string(),
                    });
                    damage.count += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if (frame.width(), frame.height()) != (self.info.width, self.info.height) {
                return Err(Error::FrameSize {
                    name,
                    frame: index,
                    got: frame.size(),
                    want: format!("{}x{}", self.info.width, self.info.height),
                });
            }
            frame.index = index;
            frame.time = self.time(index);
            return Ok(Some(frame));
        }
    }

    /// Returns the time of an image, or of the end.
    fn time(&self, index: u64) -> Duration {
        let stated = self
            .times
            .as_ref()
            .and_then(|times| times.get(index as usize));
        stated.copied().unwrap_or_else(|| self.info.fps.time(index))
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

    fn ending(&self) -> Ending {
        Ending {
            end: Some(self.time(self.next)),
            cut: false,
            damage: self.damage.clone(),
        }
    }
}

/// Reads the times beside the images of a folder. A file that does not fit them is said and left.
fn times(folder: &Path, images: usize, info: &mut VideoInfo) -> Option<Vec<Duration>> {
    let text = fs::read_to_string(folder.join(TIMES)).ok()?;
    let lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let times: Option<Vec<Duration>> = lines
        .map(|line| Duration::try_from_secs_f64(line.trim().parse::<f64>().ok()? / 1e3).ok())
        .collect();
    let fits =
        |times: &Vec<Duration>| times.len() == images + 1 && times.windows(2).all(|w| w[0] < w[1]);
    let times = times.filter(fits);
    if times.is_none() {
        info.notes.push(format!(
            "{TIMES} in the folder was not used: it must have {} increasing times in milliseconds, one for each image and one for the end",
            images + 1
        ));
    }
    times
}

/// Returns the rate of the shortest time between two images, at most 240; whole if it is nearly so.
fn grid(times: &[Duration]) -> Option<Rational> {
    let gaps = times.windows(2).map(|w| w[1].saturating_sub(w[0]));
    let rate = (1.0 / gaps.min()?.as_secs_f64()).min(240.0);
    let whole = rate.round();
    let near = whole >= 1.0 && (whole / rate - 1.0).abs() < 0.005;
    match near {
        true => Rational::whole(whole as u32),
        false => Rational::new((rate * 1000.0).round() as u64, 1000),
    }
}

/// Returns a note on numbers that are missing in the names of the images.
fn gaps(files: &[PathBuf]) -> Option<String> {
    let name = |path: &PathBuf| path.file_stem().map(|n| n.to_string_lossy().into_owned());
    let numbers: Option<Vec<(String, u64)>> = files.iter().map(|f| number(&name(f)?)).collect();
    let numbers = numbers?;
    let (first, last) = (numbers.first()?, numbers.last()?);
    let one_name = numbers.iter().all(|(before, _)| *before == first.0);
    let span = last.1.checked_sub(first.1)?.checked_add(1)?;
    let missing = span.checked_sub(numbers.len() as u64)?;
    if !one_name || missing == 0 {
        return None;
    }
    let after = numbers.windows(2).find(|w| w[1].1 > w[0].1 + 1)?;
    Some(format!(
        "{missing} of the images {} to {} are missing, the first is {}: the images around a gap follow each other",
        first.1,
        last.1,
        after[0].1 + 1
    ))
}

/// Returns the text before the last number of a name, and the number.
fn number(name: &str) -> Option<(String, u64)> {
    let before = name.trim_end_matches(|c: char| c.is_ascii_digit());
    Some((before.to_owned(), name[before.len()..].parse().ok()?))
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
            .filter(|file| IMAGES.contains(&extension(&file.to_string_lossy()).as_str()))
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
            .filter(|file| file.is_file() && !is_hidden(file))
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
        .filter(|path| path.is_file() && !is_hidden(path))
        .collect())
}

/// Whether a file is hidden: `.name`, or `._name`, which macOS puts beside files on foreign disks.
fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Decodes one file by its content, or by its extension where the content has no mark.
fn decode(path: &Path, options: &SourceOptions) -> Result<Frame> {
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
        // Rare kinds, such as a TIFF of YCbCr, for which ffmpeg may have a decoder.
        Err(ImageError::Unsupported(why)) => {
            let input = ffmpeg::Input::Named;
            let frame = FfmpegSource::open(&name, options, input).and_then(|mut f| f.next_frame());
            match frame {
                Ok(Some(frame)) => Ok(frame),
                _ => Err(fault(name, ImageError::Unsupported(why))),
            }
        }
        Err(error) => Err(fault(name, error)),
    }
}

pub(super) fn over_black(image: DynamicImage) -> Vec<u8> {
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

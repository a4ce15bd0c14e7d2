//! PNG: a folder, a numbered pattern, or one image. All are written to a temporary folder beside the
//! destination and moved there at the end.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use image::{
    ExtendedColorType, ImageEncoder, ImageError,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use tempfile::TempDir;

use super::{
    End, Expect, Sink, SinkOptions, Summary, Written,
    file::{Output, existing_parent, hidden_prefix, plain, sync_folder},
    lost,
};
use crate::{
    Error, Frame, Rational, Result, VideoInfo,
    path::{Numbered, parent},
    source::TIMES,
};

/// Names in a folder without a pattern; numbers start at 0.
const DEFAULT_NAME: &str = "%06d.png";

pub(super) struct PngSink {
    expect: Expect,
    place: Place,
    bytes: u64,
    rate: Rational,
    /// When each image is shown.
    times: Vec<Duration>,
    notes: Vec<String>,
}

enum Place {
    One(Option<Output>),
    Many {
        folder: PathBuf,
        names: Numbered,
        temporary: TempDir,
    },
}

impl PngSink {
    pub(super) fn open(spec: &str, info: &VideoInfo, options: &SinkOptions) -> Result<Self> {
        let expect = Expect::new(spec, info);
        let path = Path::new(spec);
        let as_folder = spec.ends_with('/') || path.is_dir();
        let numbered = if as_folder {
            Numbered::parse(Path::new(DEFAULT_NAME)).map(|names| (path, names))
        } else {
            Numbered::parse(path).map(|names| (parent(path), names))
        };
        let place = match numbered {
            Some((folder, names)) => many(spec, folder, names, as_folder)?,
            None if info.frames.is_some_and(|frames| frames > 1) => {
                return Err(Error::OneImage {
                    name: spec.to_owned(),
                });
            }
            None => Place::One(Some(Output::create(spec)?)),
        };
        Ok(Self {
            expect,
            place,
            bytes: 0,
            rate: info.fps,
            times: Vec::new(),
            notes: lost(spec, info, options, false),
        })
    }

    fn write(&mut self, frame: &Frame) -> io::Result<u64> {
        let png = encode(frame)?;
        match &mut self.place {
            Place::One(output) => {
                let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
                output.as_mut().ok_or_else(gone)?.write_all(&png)?;
            }
            Place::Many {
                names, temporary, ..
            } => {
                let mut file = File::create(temporary.path().join(names.name(self.expect.frames)))?;
                file.write_all(&png)?;
                file.sync_all()?;
            }
        }
        Ok(png.len() as u64)
    }
}

impl Sink for PngSink {
    fn write_frame(&mut self, frame: &Frame) -> Result<Written> {
        self.expect.check(frame)?;
        if matches!(self.place, Place::One(_)) && self.expect.frames > 0 {
            return Err(Error::OneImage {
                name: self.expect.name.clone(),
            });
        }
        self.bytes += self
            .write(frame)
            .map_err(|error| self.expect.write_error(error))?;
        self.expect.frames += 1;
        self.times.push(frame.time);
        Ok(Written::Kept)
    }

    fn finish(mut self: Box<Self>, end: End) -> Result<Summary> {
        if let Some(first) = self.times.first_mut() {
            *first = Duration::ZERO;
        }
        self.times.push(end.time);
        let constant = (0..).zip(&self.times).all(|(i, &time)| {
            let late = time.as_secs_f64() - self.rate.time(i).as_secs_f64();
            (late * self.rate.to_f64()).abs() < 0.01
        });
        let Self {
            expect,
            place,
            bytes,
            times,
            mut notes,
            ..
        } = *self;
        expect.some()?;
        let path = match place {
            Place::One(output) => {
                let gone = || expect.write_error(io::ErrorKind::BrokenPipe.into());
                let output = output.ok_or_else(gone)?;
                output
                    .commit()
                    .map_err(|error| expect.write_error(error))?
                    .1
            }
            Place::Many {
                folder,
                names,
                temporary,
            } => {
                let frames = expect.frames;
                // Another process may have written there meanwhile.
                refuse_occupied(&expect.name, &folder, &names, expect.name.ends_with('/'))?;
                if !constant {
                    fs::write(temporary.path().join(TIMES), stamps(&times))
                        .map_err(|error| expect.write_error(error))?;
                    notes.push(format!(
                        "the images have no constant rate; {TIMES} beside them has their times (mkvmerge --timestamps, or read the folder again)"
                    ));
                }
                place_all(temporary, &folder, &names, frames, !constant)
                    .map_err(|error| expect.write_error(error))?;
                folder
            }
        };
        Ok(Summary {
            frames: expect.frames,
            repeated: 0,
            bytes,
            path,
            notes,
        })
    }
}

/// Creates a temporary folder beside `folder`, after checking that nothing would be overwritten.
fn many(spec: &str, folder: &Path, names: Numbered, whole: bool) -> Result<Place> {
    refuse_occupied(spec, folder, &names, whole)?;
    let prefix = hidden_prefix(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let temporary = builder
        .tempdir_in(existing_parent(folder, spec)?)
        .map_err(|error| Error::Create {
            name: spec.to_owned(),
            source: plain(error),
        })?;
    Ok(Place::Many {
        folder: folder.to_owned(),
        names,
        temporary,
    })
}

/// Checks that a folder is empty or missing; one with a pattern must not have a matching name.
fn refuse_occupied(spec: &str, folder: &Path, names: &Numbered, whole: bool) -> Result<()> {
    let failed = |source| Error::Create {
        name: spec.to_owned(),
        source,
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let found = entry.file_name();
        if whole || found == TIMES || names.matches(&found.to_string_lossy()) {
            return Err(Error::Occupied {
                name: spec.to_owned(),
                found: entry.path(),
            });
        }
    }
    Ok(())
}

/// Moves the whole folder by one rename if the destination does not exist, otherwise image by image.
fn place_all(
    from: TempDir,
    to: &Path,
    names: &Numbered,
    frames: u64,
    timed: bool,
) -> io::Result<()> {
    sync_folder(from.path());
    if !to.exists() {
        fs::rename(from.path(), to)?;
        // It was renamed, so there is nothing to remove.
        let _ = from.keep();
        sync_folder(parent(to));
        return Ok(());
    }
    let mut moved = Vec::new();
    let images = (0..frames).map(|number| names.name(number));
    for name in images.chain(timed.then(|| TIMES.to_owned())) {
        if let Err(error) = fs::rename(from.path().join(&name), to.join(&name)) {
            for path in &moved {
                // On failure everything is removed again; the error names what cannot be removed.
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
        moved.push(to.join(name));
    }
    sync_folder(to);
    Ok(())
}

/// Returns the file of times: milliseconds, as mkvmerge's format v2.
fn stamps(times: &[Duration]) -> String {
    let mut text = "# timestamp format v2\n".to_owned();
    for time in times {
        text.push_str(&format!("{:.3}\n", time.as_secs_f64() * 1e3));
    }
    text
}

fn encode(frame: &Frame) -> io::Result<Vec<u8>> {
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(
            frame.rgb(),
            frame.width(),
            frame.height(),
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| match error {
            ImageError::IoError(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
    Ok(png)
}

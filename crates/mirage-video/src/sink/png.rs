//! PNG: a folder, a numbered pattern, or one image. All are written to a temporary folder beside the
//! destination and moved there at the end.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use image::{
    ExtendedColorType, ImageEncoder, ImageError,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use tempfile::TempDir;

use super::{
    Expect, Sink, Summary,
    file::{Output, hidden_prefix, plain, sync_folder},
};
use crate::{
    Error, Frame, Result, VideoInfo,
    path::{Numbered, parent},
};

/// Names in a folder without a pattern; numbers start at 0.
const DEFAULT_NAME: &str = "%06d.png";

pub(super) struct PngSink {
    expect: Expect,
    place: Place,
    bytes: u64,
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
    pub(super) fn open(spec: &str, info: &VideoInfo) -> Result<Self> {
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
    fn write_frame(&mut self, frame: &Frame) -> Result<()> {
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
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let Self {
            expect,
            place,
            bytes,
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
                place_all(temporary, &folder, &names, frames)
                    .map_err(|error| expect.write_error(error))?;
                folder
            }
        };
        Ok(Summary {
            frames: expect.frames,
            bytes,
            path,
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
        .tempdir_in(parent(folder))
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
        if whole || names.matches(&entry.file_name().to_string_lossy()) {
            return Err(Error::Occupied {
                name: spec.to_owned(),
                found: entry.path(),
            });
        }
    }
    Ok(())
}

/// Moves the whole folder by one rename if the destination does not exist, otherwise image by image.
fn place_all(from: TempDir, to: &Path, names: &Numbered, frames: u64) -> io::Result<()> {
    sync_folder(from.path());
    if !to.exists() {
        fs::rename(from.path(), to)?;
        // It was renamed, so there is nothing to remove.
        let _ = from.keep();
        sync_folder(parent(to));
        return Ok(());
    }
    let mut moved = Vec::new();
    for number in 0..frames {
        let name = names.name(number);
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

//! Atomic writes of output files.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use crate::{Error, Result, path::parent};

/// The destination of one output: a temporary file beside its final name, or the destination itself if
/// it is not a regular file (`-`, a device, a named pipe).
pub(super) struct Output {
    target: Target,
    written: u64,
}

enum Target {
    File {
        writer: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
    Stream {
        writer: BufWriter<Box<dyn Write + Send>>,
        path: PathBuf,
    },
}

impl Output {
    pub(super) fn create(spec: &str) -> Result<Self> {
        let failed = |source| Error::Create {
            name: spec.to_owned(),
            source,
        };
        let target = if spec == "-" {
            stream(Box::new(io::stdout()), "-")
        } else {
            match fs::metadata(spec) {
                Ok(found) if found.is_dir() => {
                    return Err(failed(io::Error::other("it is a folder")));
                }
                // Renaming over a device would destroy it.
                Ok(found) if !found.is_file() => {
                    let device = File::options().write(true).open(spec).map_err(failed)?;
                    stream(Box::new(device), spec)
                }
                _ => {
                    let path = final_path(spec);
                    let writer = BufWriter::with_capacity(1 << 18, temporary(&path, spec)?);
                    Target::File { writer, path }
                }
            }
        };
        Ok(Self { target, written: 0 })
    }

    /// Syncs the file to disk and renames it. Returns the size and the
    /// path.
    pub(super) fn commit(self) -> io::Result<(u64, PathBuf)> {
        match self.target {
            Target::Stream { mut writer, path } => {
                writer.flush()?;
                Ok((self.written, path))
            }
            Target::File { writer, path } => {
                let file = writer
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                persist(file, &path)?;
                Ok((self.written, path))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.target {
            Target::File { writer, .. } => writer.write(bytes)?,
            Target::Stream { writer, .. } => writer.write(bytes)?,
        };
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::File { writer, .. } => writer.flush(),
            Target::Stream { writer, .. } => writer.flush(),
        }
    }
}

fn stream(writer: Box<dyn Write + Send>, path: &str) -> Target {
    Target::Stream {
        writer: BufWriter::with_capacity(1 << 18, writer),
        path: path.into(),
    }
}

/// Resolves symbolic links, so that renaming does not replace a link.
pub(super) fn final_path(spec: &str) -> PathBuf {
    fs::canonicalize(spec).unwrap_or_else(|_| spec.into())
}

/// Returns the folder of `path`, which must exist.
pub(super) fn existing_parent<'a>(path: &'a Path, spec: &str) -> Result<&'a Path> {
    let folder = parent(path);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(Error::NoFolder {
            name: spec.to_owned(),
            folder: folder.to_owned(),
        }),
    }
}

/// A temporary file in the folder of `path`, removed when dropped.
pub(super) fn temporary(path: &Path, spec: &str) -> Result<NamedTempFile> {
    let folder = existing_parent(path, spec)?;
    let mut builder = Builder::new();
    let prefix = hidden_prefix(path);
    builder.prefix(&prefix).suffix(".part");
    // Permissions by the umask, like any new file, instead of those of temporary files.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|error| Error::Create {
        name: spec.to_owned(),
        source: plain(error),
    })
}

/// Removes the name of the temporary file from the error, so that the message is about the name that the
/// user gave.
pub(super) fn plain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other => error,
        kind if error.raw_os_error().is_none() => kind.into(),
        _ => error,
    }
}

/// Returns `.name.`, a hidden name that shows which file it belongs to if it is left behind.
pub(super) fn hidden_prefix(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    format!(".{}.", name.unwrap_or_default())
}

/// Syncs `file`, renames it to `path`, and syncs the folder.
pub(super) fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(parent(path));
    Ok(())
}

/// Makes a rename durable, if the system can sync folders.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder)
        && let Err(error) = folder.sync_all()
    {
        tracing::debug!(%error, "the folder could not be synced");
    }
}

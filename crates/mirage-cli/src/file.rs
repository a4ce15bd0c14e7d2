//! Output files that are written atomically.

use std::{
    fs::Permissions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::error::{CliError, Result};

/// An output file that is written atomically: to a temporary file in the same folder, which gets the
/// file's name at the end. Create it before the work whose result it will hold, so that a folder that
/// cannot be written is an early error. If it is dropped unfinished, no file is left. An existing
/// device or pipe is written directly.
pub(crate) struct AtomicFile {
    path: PathBuf,
    /// `None` for a device or a pipe, which must not be replaced by a file.
    temporary: Option<NamedTempFile>,
}

impl AtomicFile {
    /// Creates the temporary file next to `path`.
    ///
    /// # Errors
    /// If the folder does not exist or cannot be written, or if `path` is a folder.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let cannot = |why: &dyn std::fmt::Display| {
            let path = path.display();
            CliError::failure(format!(
                "cannot create {path}: {why}; give a path in a folder that can be written"
            ))
        };
        if !folder.is_dir() {
            return Err(cannot(&format_args!(
                "there is no folder {}",
                folder.display()
            )));
        }
        if path.is_dir() {
            return Err(cannot(&"it is a folder"));
        }
        if path.exists() && !path.is_file() {
            return Ok(AtomicFile {
                path: path.to_owned(),
                temporary: None,
            });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mirage-").suffix(".partial");
        public(&mut builder);
        let temporary = builder.tempfile_in(folder).map_err(|e| cannot(&e.kind()))?;
        Ok(AtomicFile {
            path: path.to_owned(),
            temporary: Some(temporary),
        })
    }

    /// Writes the content and renames the file to its path, replacing an existing file.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is then unchanged.
    pub(crate) fn finish(self, content: &[u8]) -> Result<()> {
        let AtomicFile { path, temporary } = self;
        let written = match temporary {
            Some(file) => replace(&path, file, content),
            None => std::fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|mut file| file.write_all(content)),
        };
        written.map_err(|e| {
            let path = path.display();
            CliError::failure(format!(
                "cannot write {path}: {e}; an existing file was not changed"
            ))
        })
    }
}

fn replace(path: &Path, mut file: NamedTempFile, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Gives the file the usual permissions instead of those of a private temporary file.
#[cfg(unix)]
fn public(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn public(_builder: &mut tempfile::Builder<'_, '_>) {
    let _: Option<Permissions> = None;
}

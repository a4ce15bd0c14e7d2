//! Files that are whole or not there.

use std::{
    fs::Permissions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::error::{CliError, Result};

/// A file being made: under a temporary name in its folder until it is whole. Made before the work
/// whose result it is to hold, so that a folder that cannot be written is found out first. Dropped
/// unfinished, it leaves nothing. A device or a pipe that is there already is written to as it is.
pub(crate) struct WholeFile {
    path: PathBuf,
    /// `None` for a device or a pipe, which must not be replaced by a file.
    temporary: Option<NamedTempFile>,
}

impl WholeFile {
    /// A file that will be at `path`, in a folder that is there.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let cannot = |why: &dyn std::fmt::Display| {
            let path = path.display();
            CliError::failure(format!(
                "{path}: cannot create it: {why}; check that the folder exists and can be written"
            ))
        };
        if path.is_dir() {
            return Err(cannot(&"it is a folder"));
        }
        if path.exists() && !path.is_file() {
            return Ok(WholeFile {
                path: path.to_owned(),
                temporary: None,
            });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mirage-").suffix(".partial");
        public(&mut builder);
        let temporary = builder.tempfile_in(folder).map_err(|e| cannot(&e.kind()))?;
        Ok(WholeFile {
            path: path.to_owned(),
            temporary: Some(temporary),
        })
    }

    /// Writes the content and gives the file its name, replacing what was there.
    pub(crate) fn finish(self, content: &[u8]) -> Result<()> {
        let WholeFile { path, temporary } = self;
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
                "{path}: cannot write it: {e}; what was there before is untouched"
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

/// Readable as any file that a program makes, not by its owner alone.
#[cfg(unix)]
fn public(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn public(_builder: &mut tempfile::Builder<'_, '_>) {
    let _: Option<Permissions> = None;
}

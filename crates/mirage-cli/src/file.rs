//! Output files that are written atomically.

use std::{
    fs::Permissions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::{
    error::{CliError, Result},
    output::{emit_bytes, refuse_binary_on_terminal},
};

/// An output file that is written atomically: to a temporary file in the same folder, which gets the
/// file's name at the end. Create it before the work whose result it will hold, so that a folder that
/// cannot be written is an early error. If it is dropped unfinished, no file is left. An existing
/// device or pipe is written directly, and `-` is standard output.
pub(crate) struct AtomicFile {
    path: PathBuf,
    target: Target,
}

/// Where the content is written first.
enum Target {
    /// A file that gets the name at the end.
    Temporary(NamedTempFile),
    /// A device or a pipe, which must not be replaced by a file.
    Direct,
    Stdout,
}

/// The path that means standard output.
const STDOUT: &str = "-";

impl AtomicFile {
    /// Creates the temporary file next to `path`.
    ///
    /// # Errors
    /// If the folder does not exist or cannot be written, or if `path` is a folder.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if path == Path::new(STDOUT) {
            return Ok(AtomicFile {
                path: path.to_owned(),
                target: Target::Stdout,
            });
        }
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
                target: Target::Direct,
            });
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mirage-").suffix(".partial");
        public(&mut builder);
        let temporary = builder.tempfile_in(folder).map_err(|e| cannot(&e.kind()))?;
        Ok(AtomicFile {
            path: path.to_owned(),
            target: Target::Temporary(temporary),
        })
    }

    /// Like [`AtomicFile::create`], for content that is not text, which is not written to a terminal.
    ///
    /// # Errors
    /// See [`AtomicFile::create`]; also if `path` is `-` and standard output is a terminal.
    pub(crate) fn create_binary(path: &Path) -> Result<Self> {
        let file = AtomicFile::create(path)?;
        if matches!(file.target, Target::Stdout) {
            refuse_binary_on_terminal()?;
        }
        Ok(file)
    }

    /// Returns whether the content goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.target, Target::Stdout)
    }

    /// Writes the content and renames the file to its path, replacing an existing file.
    ///
    /// # Errors
    /// If the file cannot be written; an existing file is then unchanged.
    pub(crate) fn finish(self, content: &[u8]) -> Result<()> {
        let AtomicFile { path, target } = self;
        let written = match target {
            Target::Stdout => return emit_bytes(content),
            Target::Temporary(file) => replace(&path, file, content),
            Target::Direct => std::fs::OpenOptions::new()
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

//! One check for all commands: nothing that is read or written is written over by accident.

use std::path::{Path, PathBuf};

use crate::error::{CliError, Result};

/// The files of a command with the flags that name them.
#[derive(Default)]
pub(crate) struct Files {
    read: Vec<(&'static str, PathBuf)>,
    written: Vec<(&'static str, PathBuf)>,
}

impl Files {
    /// Adds a file that is read. Built-in names and standard input are no files.
    pub(crate) fn read(mut self, flag: &'static str, path: Option<impl AsRef<Path>>) -> Self {
        self.read
            .extend(path.map(|path| (flag, path.as_ref().to_owned())));
        self
    }

    /// Adds a file that is written.
    pub(crate) fn write(mut self, flag: &'static str, path: Option<impl AsRef<Path>>) -> Self {
        self.written
            .extend(path.map(|path| (flag, path.as_ref().to_owned())));
        self
    }

    /// Checks that each written file is another one than every file that is read or written: by the file itself, so that
    /// links and other spellings of a path are found.
    pub(crate) fn check(&self) -> Result<()> {
        for (i, (flag, path)) in self.written.iter().enumerate() {
            let (name, shown) = (flag, path.display());
            if let Some((other, read)) = self.read.iter().find(|(_, read)| is_same(path, read)) {
                return Err(CliError::usage(format!(
                    "{name} {shown} and {} {} are the same file, which would be replaced; give {name} another path",
                    other,
                    read.display()
                )));
            }
            if let Some((other, _)) = self.written[..i].iter().find(|(_, w)| is_same(path, w)) {
                return Err(CliError::usage(format!(
                    "{} and {name} are the same file, {shown}; give each another name",
                    other
                )));
            }
        }
        Ok(())
    }
}

/// Returns whether two paths are of the same regular file or folder, which need not exist. Devices and pipes may be
/// used twice.
fn is_same(a: &Path, b: &Path) -> bool {
    if a.as_os_str() == "-" || b.as_os_str() == "-" {
        return false;
    }
    let is_stream = |path: &Path| path.exists() && !path.is_file() && !path.is_dir();
    if is_stream(a) || is_stream(b) {
        return false;
    }
    if let Ok(same) = same_file::is_same_file(a, b) {
        return same;
    }
    matches!((canonical(a), canonical(b)), (Some(a), Some(b)) if a == b)
}

/// Returns the canonical path of a file that need not exist.
fn canonical(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = match path.parent()? {
        folder if folder == Path::new("") => Path::new("."),
        folder => folder,
    };
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_more_than_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "a").unwrap();
        std::fs::write(at("b"), "a").unwrap();
        std::fs::hard_link(at("a"), at("hard")).unwrap();
        std::fs::create_dir(at("sub")).unwrap();
        assert!(is_same(&at("a"), &at("sub/../a")));
        assert!(is_same(&at("a"), &at("hard")));
        assert!(!is_same(&at("a"), &at("b")));
        assert!(is_same(&at("new"), &at("sub/../new")));
        assert!(!is_same(&at("new"), &at("newer")));
        assert!(!is_same(Path::new("-"), Path::new("-")));
        assert!(!is_same(Path::new("/dev/null"), Path::new("/dev/null")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("a"), at("soft")).unwrap();
            assert!(is_same(&at("soft"), &at("a")));
        }
    }
}

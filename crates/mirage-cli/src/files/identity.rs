//! What makes a file the same under every name.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// What makes a file the same under every name.
#[derive(PartialEq, Eq)]
pub(super) enum Identity {
    /// A file or folder that is there.
    There(Unique),
    /// A file that is not there, in a folder.
    New(Box<Identity>, OsString),
    /// A file in a folder that is not there.
    Nowhere(PathBuf),
}

/// How many links to files that are not there are followed.
const MOST_LINKS: usize = 16;

/// Returns the identity of a file, which need not be there; `None` for devices and pipes, which nothing replaces.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::metadata(&path) {
            Ok(found) if found.is_file() || found.is_dir() => {
                return unique(&path, &found).map(Identity::There);
            }
            Ok(_) => return None,
            Err(_) => match fs::read_link(&path) {
                Ok(target) => path = parent(&path).join(target),
                Err(_) => break,
            },
        }
    }
    let folder = fs::metadata(parent(&path)).ok();
    let folder = folder.and_then(|found| unique(parent(&path), &found));
    Some(match (folder, path.file_name()) {
        (Some(folder), Some(name)) => {
            Identity::New(Box::new(Identity::There(folder)), name.to_owned())
        }
        _ => Identity::Nowhere(path.components().collect()),
    })
}

/// Device and inode.
#[cfg(unix)]
type Unique = (u64, u64);

#[cfg(unix)]
fn unique(_path: &Path, found: &fs::Metadata) -> Option<Unique> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

/// The canonical path.
#[cfg(not(unix))]
type Unique = PathBuf;

#[cfg(not(unix))]
fn unique(path: &Path, _found: &fs::Metadata) -> Option<Unique> {
    path.canonicalize().ok()
}

/// Returns the folder of a file.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::{fs, path::Path};

    use super::identity;

    #[test]
    fn a_file_is_the_same_under_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "").unwrap();
        fs::create_dir(at("sub")).unwrap();
        let same = |a: &str, b: &str| identity(&at(a)).unwrap() == identity(&at(b)).unwrap();
        assert!(same("a", "sub/../a") && !same("a", "b"));
        assert!(same("new", "sub/../new") && !same("new", "sub/new"));
        assert!(same("no/new", "no/./new") && !same("no/new", "no/other"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a", at("link")).unwrap();
            std::os::unix::fs::symlink("new", at("dangling")).unwrap();
            fs::hard_link(at("a"), at("hard")).unwrap();
            assert!(same("a", "link") && same("a", "hard") && same("new", "dangling"));
            assert!(identity(Path::new("/dev/null")).is_none());
        }
    }
}

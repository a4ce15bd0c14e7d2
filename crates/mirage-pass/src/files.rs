//! Atomic writes of files.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Writes a file atomically: under a temporary name in its folder, which is created if needed, renamed
/// when complete.
pub(crate) fn write_whole(path: &Path, content: &str) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(
        ".{}.{}.partial",
        name.to_string_lossy(),
        std::process::id()
    ));
    let written = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The partial file is useless. An error of the removal would hide the first one.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// Returns the name with every character replaced by `_` that is not safe in a file name.
pub(crate) fn safe_name(name: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().take(64).map(safe).collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name
    } else {
        format!("graph{name}")
    }
}

//! Bytes as a file, for readers that take a path.

use std::{io::Write, path::Path};

/// Calls `read` with a file of these bytes whose name ends in `suffix`; the file is gone afterwards.
///
/// # Panics
/// Where no temporary file can be written: that is no finding about the reader.
pub fn with_file<T>(bytes: &[u8], suffix: &str, read: impl FnOnce(&Path) -> T) -> T {
    let file = tempfile::Builder::new()
        .prefix("mirage-fuzz-")
        .suffix(suffix)
        .tempfile()
        .and_then(|mut file| file.write_all(bytes).map(|()| file))
        .expect("a temporary file can be written");
    read(file.path())
}

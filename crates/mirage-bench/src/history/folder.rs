//! The ledgers of a folder.

use std::fs;
use std::path::Path;

use super::Saved;
use crate::ledger::{LedgerError, read};

/// Reads every file of a folder as a ledger, sorted by name, or returns why it is none. Subfolders are
/// skipped, and files are opened only if their name ends in `.json`.
///
/// # Errors
/// If the folder cannot be listed.
pub fn read_folder(folder: &Path) -> Result<Vec<Saved>, LedgerError> {
    let unlisted = |source| LedgerError::Folder {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if path.is_dir() {
            continue;
        }
        let ledger = match path.extension().is_some_and(|e| e == "json") {
            true => read(&path),
            false => Err(LedgerError::Name { path: path.clone() }),
        };
        let name = path.file_name().unwrap_or_default();
        files.push(Saved {
            file: name.to_string_lossy().into_owned(),
            ledger,
        });
    }
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(files)
}

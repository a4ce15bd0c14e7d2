//! Reads and writes ledger files.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, error::Category};
use thiserror::Error;

use super::{FORMAT, Ledger, SCHEMA};

/// What is wrong with a ledger's file.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}; expected a file saved by `mirage bench --save`")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder of ledgers that cannot be listed.
    #[error(
        "cannot read {path}: {source}; expected a folder of files saved by `mirage bench --save`"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of a folder that is not named as ledgers are.
    #[error("{path}: skipped because its name does not end in .json")]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written.
    #[error(
        "cannot write {path}: {source}; nothing was saved; check that the folder exists and can be written"
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ends too early.
    #[error("{path}: truncated: the JSON ends early at line {line}; save the ledger again")]
    CutShort {
        /// The file.
        path: PathBuf,
        /// The last line.
        line: usize,
    },
    /// It is not JSON.
    #[error("{path}: not JSON: {reason}; expected a file saved by `mirage bench --save`")]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// It is JSON, and no ledger.
    #[error(
        "{path}: not a ledger: \"format\" is not \"{FORMAT}\"; expected a file saved by `mirage bench --save`"
    )]
    NoLedger {
        /// The file.
        path: PathBuf,
    },
    /// It is a ledger of another schema.
    #[error(
        "{path}: unsupported schema {found}, this version reads {SCHEMA}; measure again, or use the version of Mirage that saved it"
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: String,
    },
    /// It is a ledger whose fields do not fit.
    #[error("{path}: damaged ledger: {reason}; save it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

/// Reads a ledger.
pub fn read(path: &Path) -> Result<Ledger, LedgerError> {
    let bytes = std::fs::read(path).map_err(|source| LedgerError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8(bytes).map_err(|e| LedgerError::NotJson {
        path: path.to_owned(),
        reason: e.to_string(),
    })?;
    read_str(&text, path)
}

/// Reads a ledger from JSON; `path` is what errors call it.
pub fn read_str(text: &str, path: &Path) -> Result<Ledger, LedgerError> {
    let path = || path.to_owned();
    let value: Value = serde_json::from_str(text).map_err(|e| match e.classify() {
        Category::Eof => LedgerError::CutShort {
            path: path(),
            line: e.line(),
        },
        _ => LedgerError::NotJson {
            path: path(),
            reason: e.to_string(),
        },
    })?;
    if value.get("format").and_then(Value::as_str) != Some(FORMAT) {
        return Err(LedgerError::NoLedger { path: path() });
    }
    let schema = value.get("schema").unwrap_or(&Value::Null);
    if schema.as_u64() != Some(u64::from(SCHEMA)) {
        return Err(LedgerError::Schema {
            path: path(),
            found: schema.to_string(),
        });
    }
    let damaged = |reason| LedgerError::Damaged {
        path: path(),
        reason,
    };
    let ledger: Ledger = serde_json::from_value(value).map_err(|e| damaged(e.to_string()))?;
    match fault(&ledger) {
        Some(reason) => Err(damaged(reason)),
        None => Ok(ledger),
    }
}

/// What the fields' types do not tell: places that lead nowhere, times that are none.
fn fault(ledger: &Ledger) -> Option<String> {
    for (index, row) in ledger.rows.iter().enumerate() {
        if row.samples.is_some_and(|s| s >= ledger.samples_ms.len()) {
            return Some(format!("row {index} refers to missing samples"));
        }
        if let Some(pass) = row.passes.iter().find(|p| ledger.pass(p).is_none()) {
            return Some(format!(
                "row {index} refers to the pass {pass:?}, which is not in the ledger"
            ));
        }
    }
    let bad = |t: &&f64| !t.is_finite() || **t <= 0.0;
    let time = ledger.samples_ms.iter().flatten().flatten().find(bad)?;
    Some(format!("invalid sample of {time} ms"))
}

/// Writes a file atomically: a ledger or a rendering of it.
pub fn write(path: &Path, contents: &str) -> Result<(), LedgerError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let save = || {
        let mut file = tempfile::Builder::new()
            .prefix(".mirage-ledger.")
            .tempfile_in(folder)?;
        file.write_all(contents.as_bytes())?;
        file.as_file().sync_all()?;
        set_mode(file.as_file())?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    save().map_err(|source| LedgerError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Temporary files are for their owner alone; a report is a file like others.
#[cfg(unix)]
fn set_mode(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_mode(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

impl Ledger {
    /// The ledger as JSON, with a line end.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// The pass of this name.
    pub fn pass(&self, name: &str) -> Option<&super::PassId> {
        self.passes.iter().find(|p| p.name == name)
    }
}

//! Reasons for which a file is not used as a plugin.

use std::time::Duration;

use crate::abi::{ABI_VERSION, SCHEMA_VERSION};

/// Why a file is not used as a plugin, and what to do. One line, without the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The file does not exist.
    #[error("the file does not exist")]
    Missing,
    /// The file is a folder or a device, or cannot be read.
    #[error("it cannot be read as a file: {0}")]
    Unreadable(String),
    /// The file is not a shared library.
    #[error("it is not a shared library of this system: {0}")]
    NotALibrary(String),
    /// The library is for another processor.
    #[error("it was built for {theirs}, but this program for {ours}: build it for this machine")]
    Machine {
        /// The library's processor.
        theirs: String,
        /// This program's.
        ours: &'static str,
    },
    /// The system cannot load it.
    #[error("the system cannot load it: {0}")]
    System(String),
    /// It links a library that is not found.
    #[error("it needs {library}, which was not found: {advice}")]
    Lacks {
        /// The library.
        library: String,
        /// How to get it.
        advice: String,
    },
    /// It uses a symbol that no library defines.
    #[error("it uses `{symbol}`, which no library on this machine defines: {advice}")]
    OtherVersion {
        /// The function or variable.
        symbol: String,
        /// What to do.
        advice: String,
    },
    /// It does not export `mirage_plugin`.
    #[error(
        "it does not export the function `mirage_plugin`: it is not a plugin of mirage, or was built without `export!`"
    )]
    NoEntry,
    /// Its entry function returned no table.
    #[error("its `mirage_plugin` returned no table of functions: ask its author")]
    NoTable,
    /// It has another version of the ABI.
    #[error(
        "it uses version {0} of the plugin ABI, but this program version {ABI_VERSION}: {advice}",
        advice = newer(*.0, ABI_VERSION)
    )]
    Abi(u32),
    /// It has another version of the messages.
    #[error(
        "it uses version {0} of the plugin messages, but this program version {SCHEMA_VERSION}: {advice}",
        advice = newer(*.0, SCHEMA_VERSION)
    )]
    Schema(u32),
    /// It lacks a function for its passes or backends.
    #[error("it has {brings}, but not the function `{function}` that they need: ask its author")]
    Incomplete {
        /// Passes or backends.
        brings: &'static str,
        /// The missing function.
        function: &'static str,
    },
    /// It wrote no description.
    #[error("its `describe` wrote nothing: ask its author")]
    Silent,
    /// It reported that it cannot be used on this machine.
    #[error("it cannot be used on this machine: {0}")]
    Declines(String),
    /// Its description cannot be read.
    #[error("its description cannot be read: {0}")]
    Garbage(String),
    /// It has nothing to register.
    #[error("it has neither a pass nor a backend")]
    Empty,
    /// Its description of a pass or a backend is invalid.
    #[error("{0}")]
    Wrong(String),
    /// It has a pass or a backend that is registered already.
    #[error("its {kind} `{name}` is already registered ({origin}): remove one of them")]
    Duplicate {
        /// `pass` or `backend`.
        kind: &'static str,
        /// The name of both.
        name: String,
        /// The origin of the other one.
        origin: String,
    },
    /// It does not respond.
    #[error(
        "it does not respond: loading took longer than {} s (set MIRAGE_PLUGIN_TIMEOUT to wait longer)",
        .0.as_secs_f64()
    )]
    Hangs(Duration),
}

fn newer(theirs: u32, ours: u32) -> &'static str {
    if theirs > ours {
        "update mirage, or use an older release of the plugin"
    } else {
        "rebuild the plugin with this release"
    }
}

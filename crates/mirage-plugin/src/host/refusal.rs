//! Why a file is not used as a plugin.

use std::time::Duration;

use crate::abi::{ABI_VERSION, SCHEMA_VERSION};

/// Why a file is not used as a plugin, and what to do. One line, without the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// It is a folder, a device, or cannot be read.
    #[error("it cannot be read as a file: {0}")]
    Unreadable(String),
    /// It is no shared library.
    #[error("it is no shared library of this system: {0}")]
    NotALibrary(String),
    /// It is one for another processor.
    #[error("it was built for {theirs}, this program for {ours}: build it for this machine")]
    Machine {
        /// The library's processor.
        theirs: String,
        /// This program's.
        ours: &'static str,
    },
    /// The system does not load it.
    #[error("the system cannot load it: {0}")]
    System(String),
    /// It links a library that is not here.
    #[error("it needs {library}, which is not found: {advice}")]
    Lacks {
        /// The library.
        library: String,
        /// How to get it.
        advice: String,
    },
    /// It calls what no library here has.
    #[error("no library here has `{symbol}`, which it calls: {advice}")]
    OtherVersion {
        /// The function or variable.
        symbol: String,
        /// What to do.
        advice: String,
    },
    /// It exports no entry.
    #[error(
        "it exports no function `mirage_plugin`: it is a library, but no plugin of mirage, or was built without its export"
    )]
    NoEntry,
    /// The entry gives no table.
    #[error("its `mirage_plugin` gives no table of functions: ask its author")]
    NoTable,
    /// It is of another version of the ABI.
    #[error(
        "it speaks version {0} of the plugin ABI, this program version {ABI_VERSION}: {advice}",
        advice = newer(*.0, ABI_VERSION)
    )]
    Abi(u32),
    /// It is of another version of the messages.
    #[error(
        "it speaks version {0} of the plugin messages, this program version {SCHEMA_VERSION}: {advice}",
        advice = newer(*.0, SCHEMA_VERSION)
    )]
    Schema(u32),
    /// It describes something and has no function for it.
    #[error("it brings {brings} and has no function `{function}` to use them by: ask its author")]
    Incomplete {
        /// Passes or backends.
        brings: &'static str,
        /// What is missing.
        function: &'static str,
    },
    /// It does not say what it is.
    #[error("it does not describe itself: its `describe` writes nothing")]
    Silent,
    /// It says that it cannot be used here.
    #[error("it cannot be used here: {0}")]
    Declines(String),
    /// What it says of itself is no description.
    #[error("its description cannot be read: {0}")]
    Garbage(String),
    /// It brings nothing.
    #[error("it brings no pass and no backend")]
    Empty,
    /// What it says of a pass or backend is wrong.
    #[error("{0}")]
    Wrong(String),
    /// It brings what is here already.
    #[error("it brings a {kind} `{name}`, which is here already ({origin}): leave one of them out")]
    Duplicate {
        /// `pass` or `backend`.
        kind: &'static str,
        /// The name of both.
        name: String,
        /// Where the other is from.
        origin: String,
    },
    /// It does not answer.
    #[error(
        "it does not answer: loading and describing took longer than {} s (MIRAGE_PLUGIN_TIMEOUT sets another limit)",
        .0.as_secs_f64()
    )]
    Hangs(Duration),
}

fn newer(theirs: u32, ours: u32) -> &'static str {
    if theirs > ours {
        "take a newer mirage, or an older release of the plugin"
    } else {
        "build the plugin anew with this release"
    }
}

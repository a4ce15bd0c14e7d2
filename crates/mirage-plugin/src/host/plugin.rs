//! Loaded plugins.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use mirage_ir::{Graph, text, wire};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    call::{Sink, Trouble},
    library::OpenLibrary,
};
use crate::{
    abi::{FLAG_TEXT, OK, Writer},
    message,
};

/// The maximum number of bytes of a message.
const MAX_MESSAGE: usize = 64 << 20;
/// The maximum number of bytes of a graph.
const MAX_GRAPH: usize = 1 << 30;

/// A loaded plugin. It stays loaded until the process ends.
#[derive(Debug)]
pub struct Plugin {
    file: PathBuf,
    name: String,
    version: String,
    built_with: String,
    passes: Vec<String>,
    backends: Vec<String>,
    takes_text: bool,
    graph_version: u32,
    /// Whether it wrote out of bounds, so that it is not called again.
    is_damaged: AtomicBool,
}

impl Plugin {
    pub(super) fn new(file: &Path, opened: &OpenLibrary) -> Self {
        let about = &opened.description;
        Plugin {
            file: file.to_owned(),
            name: about.name.clone(),
            version: about.version.clone(),
            built_with: about.built_with.clone(),
            passes: about.passes.iter().map(|p| p.name.clone()).collect(),
            backends: about.backends.iter().map(|b| b.name.clone()).collect(),
            takes_text: opened.table.flags & FLAG_TEXT != 0,
            graph_version: opened.table.graph_version,
            is_damaged: AtomicBool::new(false),
        }
    }

    /// Returns the library's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the compiler that built it, as the plugin states; may be empty.
    pub fn built_with(&self) -> &str {
        &self.built_with
    }

    /// Returns the names of its passes.
    pub fn passes(&self) -> &[String] {
        &self.passes
    }

    /// Returns the names of its backends.
    pub fn backends(&self) -> &[String] {
        &self.backends
    }

    /// Whether it wrote out of bounds, so that it is not called again.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Acquire)
    }

    /// Calls a function that writes to `out`; returns what it wrote.
    pub(super) fn call(&self, f: impl FnOnce(*const Writer) -> i32) -> Result<Vec<u8>, Trouble> {
        if self.is_damaged() {
            return Err(self.damage());
        }
        let mut sink = Sink::new(MAX_MESSAGE);
        let writer = sink.writer();
        let status = f(&writer);
        let bytes = sink.finish().map_err(Trouble::Breach)?;
        match status {
            OK => Ok(bytes),
            _ => Err(Trouble::said(&bytes)),
        }
    }

    /// Calls a function whose answer is a message.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        f: impl FnOnce(*const Writer) -> i32,
    ) -> Result<T, Trouble> {
        self.read(what, &self.call(f)?)
    }

    /// Reads a message.
    pub(super) fn read<T: DeserializeOwned>(&self, what: &str, bytes: &[u8]) -> Result<T, Trouble> {
        message::decode(bytes)
            .map_err(|e| Trouble::Breach(format!("returned {what} that cannot be read: {e}")))
    }

    /// Encodes a message in the form that the plugin reads.
    pub(super) fn message<T: Serialize>(&self, content: &T) -> Result<Vec<u8>, Trouble> {
        if self.takes_text {
            message::encode_text(content)
        } else {
            message::encode(content)
        }
        .map_err(|e| Trouble::Breach(format!("cannot be sent this message: {e}")))
    }

    /// Encodes a graph in the form that the plugin reads.
    pub(super) fn graph(&self, graph: &Graph) -> Result<Vec<u8>, Trouble> {
        if self.takes_text {
            return Ok(text::print(graph).into_bytes());
        }
        let needed = wire::version(graph);
        if needed > self.graph_version {
            return Err(Trouble::Breach(format!(
                "reads graphs up to version {} of the wire form, but this graph needs version {needed}: rebuild the plugin with this release",
                self.graph_version
            )));
        }
        Ok(wire::encode(graph))
    }

    /// Returns a sink for a graph.
    pub(super) fn graph_sink() -> Sink {
        Sink::new(MAX_GRAPH)
    }

    /// Reads a graph in either form, which the first byte determines, and verifies it.
    pub(super) fn read_graph(&self, bytes: &[u8]) -> Result<Graph, Trouble> {
        let graph = match bytes.first() {
            None => {
                return Err(Trouble::Breach("reported a change without a graph".into()));
            }
            Some(0x80..) => wire::decode(bytes),
            Some(_) => match std::str::from_utf8(bytes) {
                Ok(text) => text::parse(text),
                Err(e) => {
                    return Err(Trouble::Breach(format!(
                        "returned a graph that is not UTF-8: {e}"
                    )));
                }
            },
        };
        graph.map_err(|e| Trouble::Breach(format!("returned an invalid graph: {e}")))
    }

    /// Marks the plugin as broken, because it wrote out of bounds.
    pub(super) fn damage(&self) -> Trouble {
        self.is_damaged.store(true, Ordering::Release);
        Trouble::Breach(
            "wrote out of bounds of the memory that it was given and is not called again"
                .to_owned(),
        )
    }
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` {}", self.name, self.version)
    }
}

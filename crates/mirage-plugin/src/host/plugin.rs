//! A plugin that is loaded.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use mirage_ir::{Graph, text, wire};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    call::{Sink, Trouble},
    library::Opened,
};
use crate::{
    abi::{FLAG_TEXT, OK, Writer},
    message,
};

/// The bytes of a message that are read at most.
const MAX_MESSAGE: usize = 64 << 20;
/// The bytes of a graph that are read at most.
const MAX_GRAPH: usize = 1 << 30;

/// A plugin that is loaded. It stays so until the process ends.
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
    /// It wrote where it must not: nothing that it says can be believed any more.
    is_damaged: AtomicBool,
}

impl Plugin {
    pub(super) fn new(file: &Path, opened: &Opened) -> Self {
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

    /// The library's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The plugin's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The compiler that built it, as it says itself; may be empty. Any will do.
    pub fn built_with(&self) -> &str {
        &self.built_with
    }

    /// The names of its passes.
    pub fn passes(&self) -> &[String] {
        &self.passes
    }

    /// The names of its backends.
    pub fn backends(&self) -> &[String] {
        &self.backends
    }

    /// Whether it wrote where it must not, so that it is called no more.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Acquire)
    }

    /// Calls a function that writes to `out`; gives what it wrote.
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

    /// Calls a function that answers with a message.
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
            .map_err(|e| Trouble::Breach(format!("gives {what} that cannot be read: {e}")))
    }

    /// A message in the form that the plugin takes.
    pub(super) fn message<T: Serialize>(&self, content: &T) -> Result<Vec<u8>, Trouble> {
        match self.takes_text {
            true => message::encode_text(content),
            false => message::encode(content),
        }
        .map_err(|e| Trouble::Breach(format!("cannot be told this: {e}")))
    }

    /// A graph in the form that the plugin takes.
    pub(super) fn graph(&self, graph: &Graph) -> Result<Vec<u8>, Trouble> {
        if self.takes_text {
            return Ok(text::print(graph).into_bytes());
        }
        let needed = wire::version(graph);
        if needed > self.graph_version {
            return Err(Trouble::Breach(format!(
                "reads graphs up to version {} of the wire form, this one takes version {needed}: build it anew with this release",
                self.graph_version
            )));
        }
        Ok(wire::encode(graph))
    }

    /// Where a graph is written to.
    pub(super) fn graph_sink() -> Sink {
        Sink::new(MAX_GRAPH)
    }

    /// Reads a graph in either form, which their first byte tells apart, and verifies it.
    pub(super) fn read_graph(&self, bytes: &[u8]) -> Result<Graph, Trouble> {
        let graph = match bytes.first() {
            None => {
                return Err(Trouble::Breach(
                    "says it changed the graph and gives none".into(),
                ));
            }
            Some(0x80..) => wire::decode(bytes),
            Some(_) => match std::str::from_utf8(bytes) {
                Ok(text) => text::parse(text),
                Err(e) => {
                    return Err(Trouble::Breach(format!(
                        "gives a graph that is no text: {e}"
                    )));
                }
            },
        };
        graph.map_err(|e| Trouble::Breach(format!("gives a graph that is not sound: {e}")))
    }

    /// The plugin wrote past an end: it is called no more.
    pub(super) fn damage(&self) -> Trouble {
        self.is_damaged.store(true, Ordering::Release);
        Trouble::Breach(
            "wrote outside of the memory that it was given: nothing it says can be trusted, and it is called no more"
                .to_owned(),
        )
    }
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` {}", self.name, self.version)
    }
}

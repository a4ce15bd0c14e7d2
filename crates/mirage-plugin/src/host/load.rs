//! Loads plugins and registers their passes and backends.

use std::{
    fmt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use mirage_backend::Backend;
use mirage_pass::{Pass, Registry};

use super::{
    Candidate, Plugin, Refusal, Search,
    backend::PluginBackend,
    functions::{self, BackendFunctions},
    library::{self, OpenLibrary},
    pass::PluginPass,
};

/// A file, and whether it was loaded.
#[derive(Debug)]
pub struct LoadAttempt {
    /// The file, and where it was found.
    pub candidate: Candidate,
    /// The plugin, or why it was not loaded.
    pub outcome: Result<&'static Plugin, Refusal>,
}

/// The origin of a pass or a backend.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// Linked into the program.
    BuiltIn,
    /// Loaded from a plugin.
    Plugin(&'static Plugin),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.pad("built in"),
            Origin::Plugin(plugin) => write!(f, "{plugin}, {}", plugin.file().display()),
        }
    }
}

static FOUND: Mutex<Vec<&'static LoadAttempt>> = Mutex::new(Vec::new());

/// Loads the plugins of a search in order and registers their passes and backends. Returns the result for
/// each file that was not loaded before.
///
/// If two plugins have a pass or backend of the same name, the first is loaded and the second refused.
pub fn load(search: &Search) -> Vec<&'static LoadAttempt> {
    let mut known = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let mut new: Vec<&'static LoadAttempt> = Vec::new();
    for candidate in search.candidates() {
        let is_same = |found: &&&LoadAttempt| same_file(&found.candidate.path, &candidate.path);
        if known.iter().find(is_same).is_some() {
            continue;
        }
        let outcome = load_one(&candidate.path, search.patience, &known);
        match &outcome {
            Ok(plugin) => tracing::debug!(file = %candidate.path.display(), "loaded {plugin}"),
            Err(why) => tracing::debug!(file = %candidate.path.display(), "refused: {why}"),
        }
        let found = Box::leak(Box::new(LoadAttempt { candidate, outcome }));
        known.push(found);
        new.push(found);
    }
    new
}

/// Returns the result for each file that [`load`] has found so far.
pub fn found() -> Vec<&'static LoadAttempt> {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Returns the origin of the backend of this name.
pub fn origin_of_backend(name: &str) -> Origin {
    origin(&found(), |plugin| plugin.backends(), name)
}

/// Returns the origin of the pass of this name.
pub fn origin_of_pass(name: &str) -> Origin {
    origin(&found(), |plugin| plugin.passes(), name)
}

fn origin(found: &[&'static LoadAttempt], brings: fn(&Plugin) -> &[String], name: &str) -> Origin {
    let mut plugins = found
        .iter()
        .filter_map(|f| f.outcome.as_ref().ok().copied());
    let bringer = plugins.find(|plugin| brings(plugin).iter().any(|n| n == name));
    bringer.map_or(Origin::BuiltIn, Origin::Plugin)
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn load_one(
    path: &Path,
    patience: Duration,
    known: &[&'static LoadAttempt],
) -> Result<&'static Plugin, Refusal> {
    let opened = library::open(path, patience)?;
    refuse_duplicates(&opened, known)?;
    let plugin: &'static Plugin = Box::leak(Box::new(Plugin::new(path, &opened)));
    let passes = passes(plugin, &opened)?;
    let backends = backends(plugin, &opened)?;
    // Passes come first, because they may be rejected for their metadata; the names of backends were checked
    // above.
    mirage_pass::extend(passes).map_err(|e| Refusal::Wrong(e.to_string()))?;
    mirage_backend::extend(backends).map_err(|e| Refusal::Wrong(e.to_string()))?;
    Ok(plugin)
}

/// Rejects names that are registered already, and names that the plugin has twice.
fn refuse_duplicates(opened: &OpenLibrary, known: &[&'static LoadAttempt]) -> Result<(), Refusal> {
    let about = &opened.description;
    let here = Registry::linked().map_err(|e| Refusal::Wrong(e.to_string()))?;
    for (i, pass) in about.passes.iter().enumerate() {
        let is_twice = about.passes[..i].iter().any(|p| p.name == pass.name);
        if is_twice || here.names().any(|name| name == pass.name) {
            return Err(Refusal::Duplicate {
                kind: "pass",
                name: pass.name.clone(),
                origin: if is_twice {
                    "the plugin itself".to_owned()
                } else {
                    origin(known, Plugin::passes, &pass.name).to_string()
                },
            });
        }
    }
    for (i, backend) in about.backends.iter().enumerate() {
        let is_twice = about.backends[..i].iter().any(|b| b.name == backend.name);
        if is_twice || mirage_backend::find(&backend.name).is_some() {
            return Err(Refusal::Duplicate {
                kind: "backend",
                name: backend.name.clone(),
                origin: if is_twice {
                    "the plugin itself".to_owned()
                } else {
                    origin(known, Plugin::backends, &backend.name).to_string()
                },
            });
        }
    }
    Ok(())
}

fn passes(
    plugin: &'static Plugin,
    opened: &OpenLibrary,
) -> Result<Vec<&'static dyn Pass>, Refusal> {
    let mut passes: Vec<&'static dyn Pass> = Vec::new();
    for (number, form) in opened.description.passes.iter().enumerate() {
        passes.push(Box::leak(Box::new(PluginPass {
            plugin,
            number: number as u32,
            run: functions::pass_run(&opened.table)?,
            info: form.clone().leak().map_err(Refusal::Wrong)?,
        })));
    }
    Ok(passes)
}

fn backends(
    plugin: &'static Plugin,
    opened: &OpenLibrary,
) -> Result<Vec<&'static dyn Backend>, Refusal> {
    let mut backends: Vec<&'static dyn Backend> = Vec::new();
    for (number, form) in opened.description.backends.iter().enumerate() {
        backends.push(Box::leak(Box::new(PluginBackend {
            plugin,
            number: number as u32,
            functions: BackendFunctions::of(&opened.table)?,
            tolerance: form.tolerance,
            info: form.clone().leak(),
        })));
    }
    Ok(backends)
}

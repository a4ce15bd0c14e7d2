//! The registry of passes.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use crate::{Options, Pass, PassInfo, Phase};

/// A pass in the table that is collected at link time; created by [`register!`](crate::register).
pub struct PassEntry(pub &'static dyn Pass);

inventory::collect!(PassEntry);

/// Passes that were added at run time, by plugins.
static ADDED: RwLock<Vec<&'static dyn Pass>> = RwLock::new(Vec::new());

/// Adds passes to every later [`Registry::linked`] of this process.
///
/// # Errors
/// If a name is taken or a pass's metadata is invalid; then none of them is added.
pub fn extend(passes: impl IntoIterator<Item = &'static dyn Pass>) -> Result<(), RegistryError> {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    let before = added.len();
    added.extend(passes);
    let all = entries().chain(added.iter().copied());
    if let Err(error) = Registry::new(all) {
        added.truncate(before);
        return Err(error);
    }
    Ok(())
}

fn entries() -> impl Iterator<Item = &'static dyn Pass> {
    inventory::iter::<PassEntry>
        .into_iter()
        .map(|entry| entry.0)
}

/// Registers a pass (a unit struct) in every program that links its crate.
///
/// The program must refer to the crate, or the linker leaves the crate out.
#[macro_export]
macro_rules! register {
    ($pass:path) => {
        $crate::__private::inventory::submit! { $crate::PassEntry(&$pass) }
    };
}

/// A set of passes, by name.
#[derive(Clone)]
pub struct Registry {
    passes: BTreeMap<&'static str, &'static dyn Pass>,
}

/// Why passes cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two passes have the same name.
    #[error("two passes have the name `{0}`: rename one of them")]
    Duplicate(&'static str),
    /// A pass's metadata is invalid.
    #[error("pass `{pass}`: {problem}")]
    Info {
        /// The pass.
        pass: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl Registry {
    /// Returns the passes that are linked into the program, and those that [`extend`] added.
    pub fn linked() -> Result<Self, RegistryError> {
        let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
        Self::new(entries().chain(added.iter().copied()))
    }

    /// Returns a registry of these passes; checks their metadata.
    pub fn new(passes: impl IntoIterator<Item = &'static dyn Pass>) -> Result<Self, RegistryError> {
        let mut registry = Registry {
            passes: BTreeMap::new(),
        };
        for pass in passes {
            let info = pass.info();
            check(info).map_err(|problem| RegistryError::Info {
                pass: info.name,
                problem,
            })?;
            if registry.passes.insert(info.name, pass).is_some() {
                return Err(RegistryError::Duplicate(info.name));
            }
        }
        registry.check_tags()?;
        Ok(registry)
    }

    /// Returns the pass of this name; `-` is read as `_`.
    pub fn get(&self, name: &str) -> Option<&'static dyn Pass> {
        let known = self.passes.get(name);
        known
            .or_else(|| self.passes.get(name.replace('-', "_").as_str()))
            .copied()
    }

    /// Returns the passes in alphabetical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'static dyn Pass> + '_ {
        self.passes.values().copied()
    }

    /// Returns the passes' metadata in alphabetical order.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = &'static PassInfo> + '_ {
        self.iter().map(Pass::info)
    }

    /// Returns the passes' names in alphabetical order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &'static str> + '_ {
        self.passes.keys().copied()
    }

    /// Returns advice on an unknown name: the most similar name, or all names.
    pub fn advice(&self, name: &str) -> String {
        mirage_suggest::advice(name, self.names())
    }

    /// Checks that no name is also a tag, because rules could not distinguish them.
    fn check_tags(&self) -> Result<(), RegistryError> {
        for info in self.infos() {
            if let Some(tag) = info.tags.iter().find(|&&t| self.passes.contains_key(t)) {
                let problem = format!("its tag `{tag}` is the name of a pass");
                return Err(RegistryError::Info {
                    pass: info.name,
                    problem,
                });
            }
        }
        Ok(())
    }
}

/// Checks metadata; the error says what is wrong.
fn check(info: &PassInfo) -> Result<(), String> {
    if !is_name(info.name) {
        return Err(
            "a name consists of lower-case letters, digits and `_` and starts with a letter"
                .to_owned(),
        );
    }
    if info.always && info.phase != Phase::Legalize && !info.is_cleanup() {
        return Err("only legalizing and cleanup passes can have `always`".to_owned());
    }
    for (i, option) in info.options.iter().enumerate() {
        if !is_name(option.name) || option.name == "name" {
            return Err(format!(
                "`{}` is not a valid name of an option",
                option.name
            ));
        }
        if info.options[..i].iter().any(|o| o.name == option.name) {
            return Err(format!("option `{}` is declared twice", option.name));
        }
        let default = option.kind.parse(option.default);
        default.map_err(|e| format!("the default of option `{}` {e}", option.name))?;
    }
    for &pair in info.worth_trying {
        Options::from_pairs(info, [pair])
            .map_err(|e| format!("a value worth measuring is invalid: {e}"))?;
    }
    Ok(())
}

/// Whether this is a valid name of a pass or of an option.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

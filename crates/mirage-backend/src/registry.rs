//! The backends that this program knows.

use std::sync::{PoisonError, RwLock};

use crate::Backend;

/// A backend's registration: `inventory::submit! { BackendEntry(&MyBackend) }`.
pub struct BackendEntry(pub &'static dyn Backend);

inventory::collect!(BackendEntry);

/// Backends that came after linking, with plugins.
static ADDED: RwLock<Vec<&'static dyn Backend>> = RwLock::new(Vec::new());

/// Two backends have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two backends are called `{0}`: leave one of them out")]
pub struct DuplicateBackend(pub String);

/// Makes more backends known to this process.
///
/// # Errors
/// One of them has the name of another; then none of them is added.
pub fn extend(
    backends: impl IntoIterator<Item = &'static dyn Backend>,
) -> Result<(), DuplicateBackend> {
    let mut added = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    let before = added.len();
    for backend in backends {
        let name = backend.info().name;
        if linked()
            .chain(added.iter().copied())
            .any(|b| b.info().name == name)
        {
            added.truncate(before);
            return Err(DuplicateBackend(name.to_owned()));
        }
        added.push(backend);
    }
    Ok(())
}

fn linked() -> impl Iterator<Item = &'static dyn Backend> {
    inventory::iter::<BackendEntry>().map(|e| e.0)
}

/// Every backend, by name: those linked into the program and those that [`extend`] added.
pub fn backends() -> Vec<&'static dyn Backend> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    let mut all: Vec<_> = linked().chain(added.iter().copied()).collect();
    all.sort_by_key(|b| b.info().name);
    all
}

/// The backend of this name.
pub fn find(name: &str) -> Option<&'static dyn Backend> {
    backends().into_iter().find(|b| b.info().name == name)
}

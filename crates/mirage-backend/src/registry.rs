//! The backends linked into this program.

use crate::Backend;

/// A backend's registration: `inventory::submit! { BackendEntry(&MyBackend) }`.
pub struct BackendEntry(pub &'static dyn Backend);

inventory::collect!(BackendEntry);

/// Every backend, by name.
pub fn backends() -> Vec<&'static dyn Backend> {
    let mut all: Vec<_> = inventory::iter::<BackendEntry>().map(|e| e.0).collect();
    all.sort_by_key(|b| b.info().name);
    all
}

/// The backend of this name.
pub fn find(name: &str) -> Option<&'static dyn Backend> {
    backends().into_iter().find(|b| b.info().name == name)
}

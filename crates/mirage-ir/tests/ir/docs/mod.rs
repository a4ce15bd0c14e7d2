//! Pages of the reference that are written from this crate: `docs/reference/operations.md` and `regions.md`. A stale
//! page fails its test; `UPDATE_DOCS=1 cargo test --release -p mirage-ir --test ir docs` writes both anew.

mod operations;
mod regions;
mod source;

use std::{fs, path::Path};

/// Compares a page with the stored one, or stores it where `UPDATE_DOCS` is set.
fn check(name: &str, page: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/reference/{name}"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, page).unwrap();
    }
    let stored = fs::read_to_string(&file).unwrap_or_default();
    let differs = stored.lines().zip(page.lines()).find(|(a, b)| a != b);
    assert!(
        stored == page,
        "docs/reference/{name} is stale; UPDATE_DOCS=1 writes it anew. The first difference: {differs:?}"
    );
}

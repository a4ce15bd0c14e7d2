//! Passes and backends of plugins, used as those that are built in.

#![allow(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it should be"
)]

mod backends;
mod conformance;
#[path = "../common/libraries.rs"]
mod libraries;
mod passes;

use std::sync::OnceLock;

use mirage_plugin::host::{Plugin, Search, load};
use tempfile::TempDir;

/// Loads the plugins of all tests into this process, once.
fn plugins() -> &'static [&'static Plugin] {
    static PLUGINS: OnceLock<(TempDir, Vec<&'static Plugin>)> = OnceLock::new();
    let (_, plugins) = PLUGINS.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let files = vec![
            libraries::from_c(folder.path(), "double_negation", None),
            libraries::from_c(folder.path(), "bad", Some("FINE")),
            libraries::from_rust("mirage_example_pass"),
            libraries::from_rust("mirage_example_backend"),
            libraries::from_rust("mirage_example_host_backend"),
            libraries::from_rust("panics"),
        ];
        let count = files.len();
        let search = Search {
            files,
            path: None,
            user: None,
            program: None,
            patience: Search::PATIENCE,
        };
        let plugins: Vec<_> = load(&search)
            .into_iter()
            .map(|found| *found.outcome.as_ref().unwrap())
            .collect();
        assert_eq!(plugins.len(), count);
        assert!(load(&search).is_empty(), "a file is loaded once");
        (folder, plugins)
    });
    plugins
}

//! The cache of compiled kernels and autotune results.

use std::sync::Once;

use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};

/// Sets the cache to the user's cache folder, unless a `cubecl.toml` sets another one. The engine's default is the
/// target folder of the project in the working folder.
pub(crate) fn keep_in_users_folder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let config = CubeClRuntimeConfig::get();
        if matches!(config.environment.path, CacheConfig::Target) {
            cubecl::environment::set_root(CacheConfig::Global.root());
        }
    });
}

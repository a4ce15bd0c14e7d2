//! Where compiled kernels, and what kernels' variants were found to take, are remembered.

use std::sync::Once;

use cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, cache::CacheConfig};

/// Remembers them in the user's cache folder, for every later start. The engine by itself takes the
/// target folder of whatever project the program is started in; another folder that a `cubecl.toml`
/// names stays.
pub(crate) fn keep_in_users_folder() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let config = CubeClRuntimeConfig::get();
        if matches!(config.environment.path, CacheConfig::Target) {
            cubecl::environment::set_root(CacheConfig::Global.root());
        }
    });
}

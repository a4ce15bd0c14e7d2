//! The origin of a pass or a backend, in JSON.

use mirage_plugin::host::Origin;
use serde::Serialize;

/// `"built_in"`, or the plugin that provides it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OriginJson {
    BuiltIn,
    Plugin {
        name: &'static str,
        version: &'static str,
        file: String,
    },
}

impl From<Origin> for OriginJson {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::BuiltIn => OriginJson::BuiltIn,
            Origin::Plugin(plugin) => OriginJson::Plugin {
                name: plugin.name(),
                version: plugin.version(),
                file: plugin.file().display().to_string(),
            },
        }
    }
}

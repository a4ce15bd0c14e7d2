//! Reads and checks a plugin's description of itself.

use super::Refusal;
use crate::message::{self, Description};

/// The maximum number of passes and of backends of a plugin.
const MAX_THINGS: usize = 1000;

/// Reads a description and checks it, without regard to other plugins.
pub(super) fn read(bytes: &[u8]) -> Result<Description, Refusal> {
    if bytes.is_empty() {
        return Err(Refusal::Silent);
    }
    let description: Description = message::decode(bytes).map_err(Refusal::Garbage)?;
    if description.name.trim().is_empty() {
        return Err(Refusal::Garbage("it has no name".to_owned()));
    }
    let things = description.passes.len() + description.backends.len();
    if things == 0 {
        return Err(Refusal::Empty);
    }
    if things > MAX_THINGS {
        return Err(Refusal::Garbage(format!(
            "it has {things} passes and backends"
        )));
    }
    for backend in &description.backends {
        if !is_name(&backend.name) {
            return Err(Refusal::Wrong(format!(
                "backend `{}`: a name consists of lower-case letters, digits, `-` and `_` and starts with a letter",
                backend.name.escape_debug()
            )));
        }
        if !(backend.tolerance.is_finite() && backend.tolerance > 0.0) {
            return Err(Refusal::Wrong(format!(
                "backend `{}`: its tolerance is {}, not a positive number",
                backend.name, backend.tolerance
            )));
        }
    }
    Ok(description)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

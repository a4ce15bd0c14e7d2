//! Parses and checks configurations.

use std::path::Path;

use toml::{Table, Value};

use super::{ModelConfig, presets};
use crate::ModelError;

impl ModelConfig {
    /// Returns the preset of this name, or the configuration in the file of this name.
    ///
    /// # Errors
    /// If it is neither, or the file is not a valid configuration.
    pub fn load(name_or_path: &str) -> Result<Self, ModelError> {
        if let Some(preset) = presets().iter().find(|preset| preset.name == name_or_path) {
            return preset.config();
        }
        let path = Path::new(name_or_path);
        let names = presets().iter().map(|preset| preset.name);
        if is_of_diffusers(name_or_path) {
            let names: Vec<&str> = names.collect();
            return Err(ModelError::UnknownModel {
                name: name_or_path.to_owned(),
                hint: format!(
                    "models of diffusers and of model hubs, such as Stable Diffusion, are not supported; expected one of {}",
                    names.join(", ")
                ),
            });
        }
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            || path.exists()
        {
            return Self::from_path(path);
        }
        Err(ModelError::UnknownModel {
            name: name_or_path.to_owned(),
            hint: mirage_suggest::advice(name_or_path, names),
        })
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// If the file cannot be read, is not TOML, has unknown or missing keys, or is invalid.
    pub fn from_path(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(|source| ModelError::ReadConfig {
            path: path.to_owned(),
            source,
        })?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// Parses a TOML text; `origin` names the text in errors.
    ///
    /// # Errors
    /// See [`from_path`](Self::from_path).
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, ModelError> {
        let table: Table = text
            .parse()
            .map_err(|error| parse_error(text, origin, &error))?;
        check_keys(&table, origin)?;
        let config: Self =
            toml::from_str(text).map_err(|error| parse_error(text, origin, &error))?;
        config.validate()?;
        Ok(config)
    }

    /// Returns the configuration as TOML with all keys.
    ///
    /// # Errors
    /// If a number exceeds TOML's 64 bits, which a validated configuration excludes.
    pub fn to_toml(&self) -> Result<String, ModelError> {
        toml::to_string(self).map_err(|error| ModelError::ParseConfig {
            origin: format!("model `{}`", self.name),
            message: one_line(&error.to_string()),
        })
    }

    pub(super) fn to_table(&self) -> Result<Table, ModelError> {
        Table::try_from(self).map_err(|error| ModelError::ParseConfig {
            origin: format!("model `{}`", self.name),
            message: one_line(&error.to_string()),
        })
    }
}

/// Whether a name is that of a model of diffusers, as people know them: by a family, by `OWNER/NAME` of a model hub, or by
/// the folder of one.
fn is_of_diffusers(name: &str) -> bool {
    let path = Path::new(name);
    if path
        .extension()
        .is_some_and(|extension| extension == "toml")
    {
        return false;
    }
    if path.exists() {
        return path.join("model_index.json").exists();
    }
    let name = name.to_ascii_lowercase();
    let leaf = name.rsplit('/').next().unwrap_or(&name);
    let families = [
        "sd-",
        "sd1",
        "sd2",
        "sd3",
        "sdxl",
        "stable-",
        "stablediffusion",
        "flux",
        "pixart",
        "lcm",
        "dreamshaper",
        "kandinsky",
    ];
    let is_hub =
        name.split('/').count() == 2 && !name.starts_with(['.', '/']) && path.extension().is_none();
    is_hub || families.iter().any(|family| leaf.starts_with(family))
}

/// Rejects keys that no preset of the same kind has. serde rejects them too, but without a suggestion.
fn check_keys(table: &Table, origin: &str) -> Result<(), ModelError> {
    let mut known = Vec::new();
    let mut kinds = Vec::new();
    let wanted = kind_of(table);
    for preset in presets() {
        let Ok(template) = preset.toml.parse::<Table>() else {
            continue;
        };
        let Some(kind) = kind_of(&template).map(str::to_owned) else {
            continue;
        };
        if wanted.is_none_or(|wanted| wanted == kind) && !kinds.contains(&kind) {
            collect_keys(&template, "", &mut known);
        }
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if let Some(wanted) = wanted
        && !kinds.iter().any(|kind| kind == wanted)
    {
        return Err(ModelError::ParseConfig {
            origin: origin.to_owned(),
            message: format!(
                "unknown network.kind `{wanted}`: {}",
                mirage_suggest::advice(wanted, kinds.iter().map(String::as_str))
            ),
        });
    }
    let mut given = Vec::new();
    collect_keys(table, "", &mut given);
    match given.into_iter().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => Err(ModelError::UnknownKey {
            origin: origin.to_owned(),
            hint: mirage_suggest::advice(&key, known.iter().map(String::as_str)),
            key,
        }),
    }
}

fn kind_of(table: &Table) -> Option<&str> {
    table.get("network")?.get("kind")?.as_str()
}

/// Returns the dotted keys of all values in `table` that are not tables.
pub(super) fn collect_keys(table: &Table, prefix: &str, keys: &mut Vec<String>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => collect_keys(inner, &path, keys),
            _ => keys.push(path),
        }
    }
}

fn parse_error(text: &str, origin: &str, error: &toml::de::Error) -> ModelError {
    let line = error
        .span()
        .and_then(|span| text.get(..span.start))
        .map(|before| before.matches('\n').count() + 1);
    ModelError::ParseConfig {
        origin: line.map_or_else(|| origin.to_owned(), |line| format!("{origin}:{line}")),
        message: one_line(error.message()),
    }
}

pub(super) fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

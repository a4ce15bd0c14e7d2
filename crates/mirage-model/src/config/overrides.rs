//! Overrides `key=value` on dotted keys.

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    ModelConfig,
    parse::{collect_keys, one_line},
};
use crate::ModelError;

impl ModelConfig {
    /// Applies `key=value` overrides in order, such as `network.channels=24`, `network.multipliers=[1,2]`.
    ///
    /// Values are TOML; strings need no quotes.
    ///
    /// # Errors
    /// If an override has no `=`, an unknown key or a value of another type, or the result is invalid.
    pub fn with_overrides<S: AsRef<str>>(&self, overrides: &[S]) -> Result<Self, ModelError> {
        let mut table = self.to_table()?;
        let mut config = self.clone();
        for text in overrides {
            config = apply(&mut table, text.as_ref())?;
        }
        config.validate()?;
        Ok(config)
    }
}

fn apply(table: &mut Table, text: &str) -> Result<ModelConfig, ModelError> {
    let refuse = |reason: String| ModelError::Override {
        text: text.to_owned(),
        reason,
    };
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| refuse("expected key=value".to_owned()))?;
    let (key, value) = (key.trim(), value.trim());
    let mut known = Vec::new();
    collect_keys(table, "", &mut known);
    let slot = known
        .iter()
        .any(|name| name == key)
        .then(|| lookup(table, key))
        .flatten()
        .ok_or_else(|| ModelError::UnknownKey {
            origin: "--set".to_owned(),
            key: key.to_owned(),
            hint: mirage_suggest::advice(key, known.iter().map(String::as_str)),
        })?;
    *slot = coerce(slot, value)
        .map_err(|wanted| refuse(format!("`{key}` must be {wanted}, not `{value}`")))?;
    ModelConfig::deserialize(table.clone()).map_err(|error| refuse(one_line(error.message())))
}

fn lookup<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Value> {
    match key.split_once('.') {
        None => table.get_mut(key),
        Some((head, rest)) => lookup(table.get_mut(head)?.as_table_mut()?, rest),
    }
}

/// Parses `text` as a value of the type of `current`; the error is the name of that type.
fn coerce(current: &Value, text: &str) -> Result<Value, &'static str> {
    let parsed = format!("value = {text}")
        .parse::<Table>()
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    match (current, parsed) {
        (Value::String(_), Some(Value::String(text))) => Ok(Value::String(text)),
        (Value::String(_), _) => Ok(Value::String(text.to_owned())),
        (Value::Integer(_), Some(value @ Value::Integer(_)))
        | (Value::Float(_), Some(value @ Value::Float(_)))
        | (Value::Boolean(_), Some(value @ Value::Boolean(_))) => Ok(value),
        (Value::Float(_), Some(Value::Integer(value))) => Ok(Value::Float(value as f64)),
        (Value::Array(_), Some(Value::Array(items))) if items.iter().all(Value::is_integer) => {
            Ok(Value::Array(items))
        }
        (Value::Integer(_), _) => Err("an integer"),
        (Value::Float(_), _) => Err("a number"),
        (Value::Boolean(_), _) => Err("true or false"),
        (Value::Array(_), _) => Err("a list of integers such as [1, 2, 4]"),
        (Value::Table(_) | Value::Datetime(_), _) => Err("a value of another kind"),
    }
}

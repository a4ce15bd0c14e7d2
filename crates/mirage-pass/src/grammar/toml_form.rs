//! The TOML form:
//!
//! ```toml
//! passes = ["sdpa", { name = "fp16", keep = ["norm", "softmax"] }]
//! ```
//!
//! An entry is a pass in text form, or a table with its name and options. `[[passes]]` tables and a whole
//! pipeline as one string are accepted too.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use toml::{Table, Value};

use super::{PassSpec, PipelineSpec, Place, parse::is_name};

/// An error in the TOML form of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TomlError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl TomlError {
    pub(crate) fn new(text: &str, e: &toml::de::Error) -> Self {
        let start = e.span().map_or(0, |span| span.start.min(text.len()));
        let line = 1 + text.as_bytes()[..start]
            .iter()
            .filter(|&&b| b == b'\n')
            .count();
        TomlError {
            line,
            message: e.message().replace('\n', " "),
        }
    }
}

/// The document, which has the pipeline under the key `passes`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<P> {
    passes: P,
}

impl PipelineSpec {
    /// Parses a TOML document whose only key is `passes`.
    pub fn from_toml(text: &str) -> Result<Self, TomlError> {
        let document: Document<PipelineSpec> =
            toml::from_str(text).map_err(|e| TomlError::new(text, &e))?;
        Ok(document.passes)
    }

    /// Returns a TOML document whose only key is `passes`.
    pub fn to_toml(&self) -> String {
        let entries = self.passes.iter().map(entry).collect();
        Table::from_iter([("passes".to_owned(), Value::Array(entries))]).to_string()
    }
}

fn entry(pass: &PassSpec) -> Value {
    if pass.options.is_empty() {
        return Value::String(pass.name.clone());
    }
    let name = ("name".to_owned(), Value::String(pass.name.clone()));
    let options = pass
        .options()
        .map(|(name, value)| (name.to_owned(), typed(value)));
    Value::Table(std::iter::once(name).chain(options).collect())
}

/// Returns a value in its TOML type. [`untyped`] restores the text exactly.
fn typed(text: &str) -> Value {
    let exact = |value: Value| (untyped(&value).as_deref() == Ok(text)).then_some(value);
    // Short enough that every parser reads the same number.
    let number = |text: &str| {
        text.parse()
            .ok()
            .filter(|v: &f64| v.is_finite() && text.len() < 16)
    };
    let parts: Vec<&str> = text.split('+').collect();
    let word = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_set = parts.len() > 1 && parts.iter().all(word);
    let set = || is_set.then(|| Value::Array(parts.iter().map(|&p| p.into()).collect()));
    text.parse()
        .ok()
        .and_then(|v: bool| exact(v.into()))
        .or_else(|| text.parse().ok().and_then(|v: i64| exact(v.into())))
        .or_else(|| number(text).and_then(|v| exact(v.into())))
        .or_else(set)
        .unwrap_or_else(|| text.into())
}

/// Returns the text of an option's value.
fn untyped(value: &Value) -> Result<String, String> {
    match value {
        Value::String(s) => Ok(s.clone()),
        Value::Boolean(b) => Ok(b.to_string()),
        Value::Integer(i) => Ok(i.to_string()),
        Value::Float(x) => Ok(x.to_string()),
        Value::Array(members) => {
            let member = |m: &Value| match m {
                Value::String(s) if !s.is_empty() && !s.contains('+') => Ok(s.clone()),
                other => Err(format!("expected a list of names, found `{other}` in it")),
            };
            Ok(members
                .iter()
                .map(member)
                .collect::<Result<Vec<_>, _>>()?
                .join("+"))
        }
        Value::Table(_) | Value::Datetime(_) => Err(format!(
            "must be a string, a number, a boolean or a list of names, not `{value}`"
        )),
    }
}

impl Serialize for PassSpec {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.options.is_empty() {
            return s.serialize_str(&self.name);
        }
        let mut map = s.serialize_map(Some(self.options.len() + 1))?;
        map.serialize_entry("name", &self.name)?;
        for (name, value) in self.options() {
            map.serialize_entry(name, &typed(value))?;
        }
        map.end()
    }
}

impl Serialize for PipelineSpec {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(&self.passes)
    }
}

impl<'de> Deserialize<'de> for PipelineSpec {
    /// Reads a list of entries or the text form.
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = PipelineSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of passes, each a name or a table with `name` and options")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PipelineSpec, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<PipelineSpec, A::Error> {
                let mut passes = Vec::new();
                while let Some(value) = seq.next_element::<Value>()? {
                    let at = passes.len();
                    let pass = read_entry(value, Place::Entry(at))
                        .map_err(|e| de::Error::custom(format!("passes[{at}]: {e}")))?;
                    passes.push(pass);
                }
                Ok(PipelineSpec { passes })
            }
        }
        d.deserialize_any(Visitor)
    }
}

fn read_entry(value: Value, place: Place) -> Result<PassSpec, String> {
    match value {
        Value::String(text) => {
            let pipeline: PipelineSpec = text
                .parse()
                .map_err(|e: super::GrammarError| e.to_string())?;
            let one: Result<[PassSpec; 1], _> = pipeline.passes.try_into();
            let [mut pass] = one.map_err(|_| format!("expected one pass, found `{text}`"))?;
            pass.place = place;
            pass.options.values_mut().for_each(|(_, p)| *p = place);
            Ok(pass)
        }
        Value::Table(mut table) => {
            let name = match table.remove("name") {
                Some(Value::String(name)) => named(name)?,
                Some(other) => return Err(format!("`name` must be a string, not `{other}`")),
                None => return Err("missing key `name`, the name of the pass".to_owned()),
            };
            let option = |(name, value): (String, Value)| {
                let name = named(name)?;
                match untyped(&value) {
                    Ok(text) => Ok((name, (text, place))),
                    Err(problem) => Err(format!("option `{name}`: {problem}")),
                }
            };
            let options = table
                .into_iter()
                .map(option)
                .collect::<Result<BTreeMap<_, _>, _>>()?;
            Ok(PassSpec {
                name,
                options,
                place,
            })
        }
        other => Err(format!("expected a name or a table, found `{other}`")),
    }
}

/// Checks that the text form can express the name.
fn named(name: String) -> Result<String, String> {
    if is_name(&name) {
        return Ok(name);
    }
    Err(format!(
        "a name consists of letters, digits, `_` and `-`; found `{}`",
        name.escape_debug()
    ))
}

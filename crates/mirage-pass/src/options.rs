//! Options of passes: declarations and validated values.

mod typed;

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::PassInfo;

pub use typed::{Choice, One, OptionType, Set, TypedOptions};

/// The kind of value that an option has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionKind {
    /// `true` or `false`; the option's name alone means `true`.
    Bool,
    /// An integer in a range, bounds included.
    Int {
        /// The lower bound.
        min: i64,
        /// The upper bound.
        max: i64,
    },
    /// A finite number in a range, bounds included.
    Float {
        /// The lower bound.
        min: f64,
        /// The upper bound.
        max: f64,
    },
    /// Any text.
    Str,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Any of these, joined by `+`; an empty text for none.
    Set(&'static [&'static str]),
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionKind::Bool => f.write_str("true or false"),
            OptionKind::Int { min, max } => write!(f, "an integer from {min} to {max}"),
            OptionKind::Float { min, max } => write!(f, "a number from {min} to {max}"),
            OptionKind::Str => f.write_str("text"),
            OptionKind::Choice(choices) => write!(f, "one of {}", choices.join(", ")),
            OptionKind::Set(choices) => write!(f, "any of {} joined by +", choices.join(", ")),
        }
    }
}

/// The declaration of an option.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OptionSpec {
    /// The name: lower-case letters, digits and `_`, starting with a letter.
    pub name: &'static str,
    /// The kind of value.
    pub kind: OptionKind,
    /// The default value, as text.
    pub default: &'static str,
    /// One line on what the option does.
    pub doc: &'static str,
}

/// A validated value of an option.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// Of [`OptionKind::Bool`].
    Bool(bool),
    /// Of [`OptionKind::Int`].
    Int(i64),
    /// Of [`OptionKind::Float`].
    Float(f64),
    /// Of [`OptionKind::Str`] and [`OptionKind::Choice`].
    Str(String),
    /// Of [`OptionKind::Set`]: each name once, in the sequence of the kind's list.
    Set(Vec<&'static str>),
}

impl fmt::Display for OptionValue {
    /// Writes the text that [`OptionKind::parse`] reads, unquoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OptionValue::Bool(v) => v.fmt(f),
            OptionValue::Int(v) => v.fmt(f),
            OptionValue::Float(v) => v.fmt(f),
            OptionValue::Str(v) => f.write_str(v),
            OptionValue::Set(v) => f.write_str(&v.join("+")),
        }
    }
}

impl OptionKind {
    /// Parses a value; the error says what is wrong and what is expected.
    pub fn parse(&self, text: &str) -> Result<OptionValue, String> {
        let expected = || format!("must be {self}, got `{}`", text.escape_debug());
        match *self {
            OptionKind::Bool => text.parse().map(OptionValue::Bool).map_err(|_| expected()),
            OptionKind::Int { min, max } => match text.parse() {
                Ok(v) if (min..=max).contains(&v) => Ok(OptionValue::Int(v)),
                _ => Err(expected()),
            },
            OptionKind::Float { min, max } => match text.parse() {
                Ok(v) if (min..=max).contains(&v) => Ok(OptionValue::Float(v)),
                _ => Err(expected()),
            },
            OptionKind::Str => Ok(OptionValue::Str(text.to_owned())),
            OptionKind::Choice(choices) => match choices.iter().find(|&&c| c == text) {
                Some(c) => Ok(OptionValue::Str((*c).to_owned())),
                None => Err(unknown_choice(text, choices)),
            },
            OptionKind::Set(choices) => parse_set(text, choices),
        }
    }
}

fn parse_set(text: &str, choices: &'static [&'static str]) -> Result<OptionValue, String> {
    let asked: Vec<&str> = if text.is_empty() {
        Vec::new()
    } else {
        text.split('+').collect()
    };
    if let Some(wrong) = asked.iter().find(|a| !choices.contains(a)) {
        return Err(unknown_choice(wrong, choices));
    }
    let set = choices
        .iter()
        .copied()
        .filter(|c| asked.contains(c))
        .collect();
    Ok(OptionValue::Set(set))
}

fn unknown_choice(text: &str, choices: &[&str]) -> String {
    format!(
        "has no value `{}`: {}",
        text.escape_debug(),
        mirage_suggest::advice(text, choices.iter().copied())
    )
}

/// An invalid option. The message is one line, without the pass's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The pass has no such option.
    #[error("unknown option `{}`: {advice}", option.escape_debug())]
    Unknown {
        /// The option.
        option: String,
        /// A suggestion: the most similar name, or all names.
        advice: String,
    },
    /// An option is given twice.
    #[error("option `{}` is given twice", option.escape_debug())]
    Twice {
        /// The option.
        option: String,
    },
    /// A value is invalid.
    #[error("option `{option}` {problem}")]
    Value {
        /// The option.
        option: String,
        /// What is wrong and what is expected.
        problem: String,
    },
    /// The pass reads an option that its metadata does not declare, which is a bug in the pass.
    #[error("the pass reads the option `{option}`, which its metadata does not declare")]
    Undeclared {
        /// The option.
        option: String,
    },
    /// The pass reads an option as another type than its metadata declares, which is a bug in the pass.
    #[error("the pass reads the option `{option}` as {wanted}, but it is `{value}`")]
    Type {
        /// The option.
        option: String,
        /// Its value, as text.
        value: String,
        /// The type that the pass reads.
        wanted: String,
    },
}

impl OptionError {
    /// Returns the name of the invalid option.
    pub fn option(&self) -> &str {
        match self {
            OptionError::Unknown { option, .. }
            | OptionError::Twice { option }
            | OptionError::Value { option, .. }
            | OptionError::Undeclared { option }
            | OptionError::Type { option, .. } => option,
        }
    }
}

/// The validated options of one pass, with defaults filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    values: BTreeMap<&'static str, (OptionValue, bool)>,
}

impl Options {
    /// Returns the defaults. A default that is invalid for its own kind is left out; a
    /// [`Registry`](crate::Registry) rejects such a pass.
    pub fn defaults(info: &PassInfo) -> Self {
        let value =
            |spec: &OptionSpec| Some((spec.name, (spec.kind.parse(spec.default).ok()?, true)));
        Options {
            values: info.options.iter().filter_map(value).collect(),
        }
    }

    /// Validates the given names and texts; the other options have their defaults.
    pub fn from_pairs<'a>(
        info: &PassInfo,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OptionError> {
        let mut options = Self::defaults(info);
        let mut given = Vec::new();
        for (name, text) in pairs {
            let option = || name.to_owned();
            let Some(spec) = info.option(name) else {
                let advice = match info.options {
                    [] => "the pass has no options".to_owned(),
                    all => mirage_suggest::advice(name, all.iter().map(|o| o.name)),
                };
                return Err(OptionError::Unknown {
                    option: option(),
                    advice,
                });
            };
            if given.contains(&name) {
                return Err(OptionError::Twice { option: option() });
            }
            given.push(name);
            let value = spec
                .kind
                .parse(text)
                .map_err(|problem| OptionError::Value {
                    option: option(),
                    problem,
                })?;
            let is_default = spec.kind.parse(spec.default).as_ref() == Ok(&value);
            options.values.insert(spec.name, (value, is_default));
        }
        Ok(options)
    }

    /// Returns the value of an option.
    pub fn get(&self, name: &str) -> Option<&OptionValue> {
        self.values.get(name).map(|(value, _)| value)
    }

    /// Returns names and values in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &OptionValue)> {
        self.values.iter().map(|(&name, (value, _))| (name, value))
    }

    /// Returns names and values that differ from their defaults, in alphabetical order.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, &OptionValue)> {
        self.values
            .iter()
            .filter(|(_, (_, default))| !default)
            .map(|(&name, (v, _))| (name, v))
    }

    /// Reads an option as a type. A struct of [`options!`](crate::options) reads all options of a pass this
    /// way.
    ///
    /// # Errors
    ///
    /// If the pass declares no such option, or one of another type.
    pub fn value<T: OptionType>(&self, name: &str) -> Result<T, OptionError> {
        let option = || name.to_owned();
        let value = self
            .get(name)
            .ok_or_else(|| OptionError::Undeclared { option: option() })?;
        T::of(value).ok_or_else(|| OptionError::Type {
            option: option(),
            value: value.to_string(),
            wanted: T::KIND.to_string(),
        })
    }
}

impl Serialize for Options {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

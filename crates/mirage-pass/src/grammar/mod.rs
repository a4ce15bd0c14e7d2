//! How a pipeline is written: `fp16{keep=norm+softmax},channels_last,sdpa`, and the same in TOML.
//!
//! ```text
//! pipeline = [ pass { "," pass } ]
//! pass     = name [ "{" [ option { "," option } ] "}" ]
//! option   = name [ "=" value ]            a name alone means the value `true`
//! name     = letters, digits, "_", "-"
//! value    = any characters but , = { } " and blanks; or "…" with \" \\ \n for those three
//! ```
//!
//! Blanks between these parts don't matter. A pipeline prints back canonically: no blanks, options
//! by name, quotes only where needed; and parsing what was printed gives the same pipeline.

mod parse;
mod toml_form;

use std::{collections::BTreeMap, fmt, str::FromStr};

pub use parse::GrammarError;
pub use toml_form::TomlError;

/// Where something stands in what the user wrote, for messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Made by a program.
    #[default]
    Unknown,
    /// The column of a pipeline in text, in characters from 1.
    Column(usize),
    /// The position in the list of a pipeline in TOML, from 0.
    Entry(usize),
}

impl fmt::Display for Place {
    /// Empty, or with a blank before it, to follow a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unknown => Ok(()),
            Place::Column(column) => write!(f, " (column {column})"),
            Place::Entry(index) => write!(f, " (passes[{index}])"),
        }
    }
}

/// A pass as a user asks for it: a name and options as text, neither checked yet.
///
/// Equality does not look at places.
#[derive(Clone, Debug)]
pub struct PassSpec {
    name: String,
    options: BTreeMap<String, (String, Place)>,
    place: Place,
}

impl PassSpec {
    /// A pass without options. A name that the grammar cannot write is only found out when the
    /// pipeline is planned.
    pub fn new(name: impl Into<String>) -> Self {
        PassSpec {
            name: name.into(),
            options: BTreeMap::new(),
            place: Place::Unknown,
        }
    }

    /// The same with an option set to a value in text.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>, value: impl Into<String>) -> Self {
        self.options
            .insert(option.into(), (value.into(), Place::Unknown));
        self
    }

    /// The pass's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Options and their values in text, by name.
    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options
            .iter()
            .map(|(name, (value, _))| (name.as_str(), value.as_str()))
    }

    /// Where the pass stands in what the user wrote.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Where an option stands; the pass's place if it has no such option.
    pub fn option_place(&self, option: &str) -> Place {
        self.options
            .get(option)
            .map_or(self.place, |(_, place)| *place)
    }
}

impl PartialEq for PassSpec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.options().eq(other.options())
    }
}

impl Eq for PassSpec {}

impl fmt::Display for PassSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        write_options(f, self.options())
    }
}

/// Writes `{name=value,…}`, or nothing without options.
pub(crate) fn write_options<V: AsRef<str>>(
    f: &mut fmt::Formatter<'_>,
    options: impl IntoIterator<Item = (impl AsRef<str>, V)>,
) -> fmt::Result {
    let mut open = false;
    for (name, value) in options {
        f.write_str(if open { "," } else { "{" })?;
        open = true;
        let value = value.as_ref();
        if !value.is_empty() && value.chars().all(parse::is_bare) {
            write!(f, "{}={value}", name.as_ref())?;
        } else {
            let quoted = value
                .replace('\\', r"\\")
                .replace('"', "\\\"")
                .replace('\n', r"\n");
            write!(f, "{}=\"{quoted}\"", name.as_ref())?;
        }
    }
    f.write_str(if open { "}" } else { "" })
}

/// A pipeline as a user asks for it; nothing is checked but the grammar.
///
/// ```
/// use mirage_pass::PipelineSpec;
///
/// let pipeline: PipelineSpec = "fp16{ keep = norm+softmax }, sdpa".parse()?;
/// assert_eq!(pipeline.to_string(), "fp16{keep=norm+softmax},sdpa");
/// # Ok::<(), mirage_pass::GrammarError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineSpec {
    /// The passes in the order in which they were written.
    pub passes: Vec<PassSpec>,
}

impl PipelineSpec {
    /// No passes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether no pass is asked for.
    pub fn is_empty(&self) -> bool {
        self.passes.is_empty()
    }
}

impl FromIterator<PassSpec> for PipelineSpec {
    fn from_iter<I: IntoIterator<Item = PassSpec>>(passes: I) -> Self {
        PipelineSpec {
            passes: passes.into_iter().collect(),
        }
    }
}

impl FromStr for PipelineSpec {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        parse::pipeline(text)
    }
}

impl fmt::Display for PipelineSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pass) in self.passes.iter().enumerate() {
            f.write_str(if i > 0 { "," } else { "" })?;
            pass.fmt(f)?;
        }
        Ok(())
    }
}

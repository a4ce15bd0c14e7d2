//! The grammar of pipelines: `fp16{keep=norm+softmax},channels_last,sdpa`, and the same in TOML.
//!
//! ```text
//! pipeline = [ pass { "," pass } ]
//! pass     = name [ "{" [ option { "," option } ] "}" ]
//! option   = name [ "=" value ]            a name alone has the value `true`
//! name     = letters, digits, "_", "-"
//! value    = any characters but , = { } " and blanks; or "…" with \" \\ \n for those three
//! ```
//!
//! Blanks between these parts are ignored. The canonical form, which is printed, has no blanks, options in
//! alphabetical order, and quotes only where needed. Parsing it gives the same pipeline.

mod parse;
mod toml_form;

use std::{collections::BTreeMap, fmt, str::FromStr};

pub use parse::GrammarError;
pub use toml_form::TomlError;

/// The position of a part in what the user wrote, for messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Not from a text: created by a program.
    #[default]
    Unknown,
    /// The column in the text form, in characters from 1.
    Column(usize),
    /// The index in the list of the TOML form, from 0.
    Entry(usize),
}

impl fmt::Display for Place {
    /// Writes nothing, or a blank and the position, to follow a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Unknown => Ok(()),
            Place::Column(column) => write!(f, " (column {column})"),
            Place::Entry(index) => write!(f, " (passes[{index}])"),
        }
    }
}

/// A requested pass: a name and options as text, neither checked yet.
///
/// Equality ignores places.
#[derive(Clone, Debug)]
pub struct PassSpec {
    name: String,
    options: BTreeMap<String, (String, Place)>,
    place: Place,
}

impl PassSpec {
    /// Returns a pass without options. An invalid name is reported when the pipeline is planned.
    pub fn new(name: impl Into<String>) -> Self {
        PassSpec {
            name: name.into(),
            options: BTreeMap::new(),
            place: Place::Unknown,
        }
    }

    /// Sets an option to a value in text form.
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

    /// Returns the position of the pass in what the user wrote.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Returns the position of an option, or of the pass if it has no such option.
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

/// A requested pipeline: parsed, but its names and options are not checked.
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
    /// The passes in the order in which they are written.
    pub passes: Vec<PassSpec>,
}

impl PipelineSpec {
    /// Returns a pipeline without passes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether the pipeline has no passes.
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

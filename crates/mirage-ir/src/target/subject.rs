//! Subjects of capabilities.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::GraphFlag;

/// The subject of a [`Capability`](super::Capability).
///
/// Its text form is an operation's name, `*` for every operation, `region:KIND`, `attr:NAME` for an
/// attribute of a graph, or `wide:OP` for an operation that computes in f32 internally.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum Subject {
    /// Every operation; no region, no attribute.
    AllOperations,
    /// The operation of this name.
    Operation(Cow<'static, str>),
    /// A kernel for regions of this kind.
    Region(Cow<'static, str>),
    /// An attribute of a graph that the backend supports. See [`GraphFlag`].
    Attribute(Cow<'static, str>),
    /// The operation of this name has operands and results of the dtype, computes in f32 internally, and
    /// rounds the result once.
    F32Inside(Cow<'static, str>),
    /// A text with an unknown prefix, for example from a newer plugin. It is never matched.
    Other(Cow<'static, str>),
}

const REGION: &str = "region";
const ATTRIBUTE: &str = "attr";
const F32_INSIDE: &str = "wide";
const ALL_OPERATIONS: &str = "*";

impl Subject {
    /// Returns the subject for an operation. Use the variant for a name that is not static.
    pub const fn operation(name: &'static str) -> Self {
        Subject::Operation(Cow::Borrowed(name))
    }

    /// Returns the subject for a kernel for regions of a kind.
    pub const fn region(kind: &'static str) -> Self {
        Subject::Region(Cow::Borrowed(kind))
    }

    /// Returns the subject for a flag of a graph.
    pub const fn flag(flag: GraphFlag) -> Self {
        Subject::Attribute(Cow::Borrowed(flag.name()))
    }

    /// Returns the subject for an operation that computes in f32 internally.
    pub const fn f32_inside(name: &'static str) -> Self {
        Subject::F32Inside(Cow::Borrowed(name))
    }

    /// Whether a line about `self` covers `asked`: they are equal, or `self` is [`Subject::AllOperations`] and
    /// `asked` an operation.
    pub fn covers(&self, asked: &Subject) -> bool {
        self == asked || (*self == Subject::AllOperations && matches!(asked, Subject::Operation(_)))
    }
}

impl fmt::Display for Subject {
    /// Writes the text that [`Subject::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::AllOperations => f.write_str(ALL_OPERATIONS),
            Subject::Operation(name) | Subject::Other(name) => f.write_str(name),
            Subject::Region(kind) => write!(f, "{REGION}:{kind}"),
            Subject::Attribute(name) => write!(f, "{ATTRIBUTE}:{name}"),
            Subject::F32Inside(name) => write!(f, "{F32_INSIDE}:{name}"),
        }
    }
}

/// The error of an invalid text of a subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the subject of a capability: expected an operation's name, `*`, `region:KIND`, \
     `attr:NAME` or `wide:OP`"
)]
pub struct SubjectError(String);

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let (prefix, name) = match text.split_once(':') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, text),
        };
        if name.is_empty() {
            return Err(SubjectError(text.escape_debug().to_string()));
        }
        let name = Cow::Owned(name.to_owned());
        Ok(match prefix {
            None if text == ALL_OPERATIONS => Subject::AllOperations,
            None => Subject::Operation(name),
            Some(REGION) => Subject::Region(name),
            Some(ATTRIBUTE) => Subject::Attribute(name),
            Some(F32_INSIDE) => Subject::F32Inside(name),
            Some(_) => Subject::Other(Cow::Owned(text.to_owned())),
        })
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> String {
        subject.to_string()
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        for (subject, text) in [
            (Subject::AllOperations, "*"),
            (Subject::operation("conv"), "conv"),
            (Subject::region("conv_act"), "region:conv_act"),
            (Subject::flag(GraphFlag::StaticPlan), "attr:static_plan"),
            (Subject::f32_inside("layer_norm"), "wide:layer_norm"),
            (Subject::Other("new:thing".into()), "new:thing"),
        ] {
            assert_eq!(subject.to_string(), text);
            assert_eq!(text.parse(), Ok(subject));
        }
    }

    #[test]
    fn text_that_names_nothing_is_refused() {
        for text in ["", "region:", "attr:", "wide:", "new:"] {
            let error = text.parse::<Subject>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not")), "{error}");
        }
    }

    #[test]
    fn all_operations_are_operations_alone() {
        let all = Subject::AllOperations;
        assert!(all.covers(&Subject::operation("conv")) && all.covers(&all));
        for other in [
            Subject::region("conv_act"),
            Subject::flag(GraphFlag::Tf32Products),
            Subject::f32_inside("layer_norm"),
        ] {
            assert!(!all.covers(&other));
        }
        assert!(!Subject::operation("conv").covers(&all));
    }
}

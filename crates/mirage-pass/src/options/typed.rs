//! Options as a struct: one definition makes the fields, the list of [`OptionSpec`]s with help and
//! defaults, and the reader.

use super::{OptionError, OptionKind, OptionSpec, OptionValue, Options};

/// The options of a pass as a struct. Implemented by [`options!`](crate::options).
pub trait TypedOptions: Sized {
    /// The declarations for [`PassInfo::options`](crate::PassInfo::options): names, kinds, defaults, help.
    const SPECS: &'static [OptionSpec];

    /// Reads the values.
    ///
    /// # Errors
    ///
    /// If the pass's metadata does not declare [`TypedOptions::SPECS`].
    fn read(options: &Options) -> Result<Self, OptionError>;
}

/// A Rust type of an option's value: `bool`, `i64`, `usize`, `f64`, `String`, a [`Choice`], or a [`Set`] of
/// choices.
pub trait OptionType: Sized {
    /// The kind of the option. Numbers have no bounds here; [`OptionKind::within`] sets them.
    const KIND: OptionKind;

    /// Converts a value; `None` if it has another type.
    fn of(value: &OptionValue) -> Option<Self>;
}

impl OptionType for bool {
    const KIND: OptionKind = OptionKind::Bool;

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Bool(v) => Some(*v),
            _ => None,
        }
    }
}

impl OptionType for i64 {
    const KIND: OptionKind = OptionKind::Int {
        min: i64::MIN,
        max: i64::MAX,
    };

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Int(v) => Some(*v),
            _ => None,
        }
    }
}

impl OptionType for usize {
    const KIND: OptionKind = OptionKind::Int {
        min: 0,
        max: i64::MAX,
    };

    fn of(value: &OptionValue) -> Option<Self> {
        usize::try_from(i64::of(value)?).ok()
    }
}

impl OptionType for f64 {
    const KIND: OptionKind = OptionKind::Float {
        min: f64::MIN,
        max: f64::MAX,
    };

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Float(v) => Some(*v),
            _ => None,
        }
    }
}

impl OptionType for String {
    const KIND: OptionKind = OptionKind::Str;

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Str(v) => Some(v.clone()),
            _ => None,
        }
    }
}

/// One of several named values. Implemented by [`choices!`](crate::choices).
pub trait Choice: Copy + PartialEq + 'static {
    /// Every value, in the sequence of [`Choice::NAMES`].
    const ALL: &'static [Self];
    /// The names in pipelines.
    const NAMES: &'static [&'static str];

    /// Returns the value of this name.
    fn named(name: &str) -> Option<Self> {
        let place = Self::NAMES.iter().position(|n| *n == name)?;
        Self::ALL.get(place).copied()
    }

    /// Returns the name of the value.
    fn name(self) -> &'static str {
        let place = Self::ALL.iter().position(|v| *v == self);
        place.map_or("", |i| Self::NAMES[i])
    }
}

/// Any of several named values, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<C>(Vec<C>);

impl<C: Choice> Set<C> {
    /// Whether the value is a member.
    pub fn contains(&self, value: C) -> bool {
        self.0.contains(&value)
    }

    /// Returns the members in the sequence of [`Choice::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = C> + '_ {
        self.0.iter().copied()
    }
}

impl<C: Choice> OptionType for Set<C> {
    const KIND: OptionKind = OptionKind::Set(C::NAMES);

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Set(names) => names.iter().map(|n| C::named(n)).collect::<Option<_>>(),
            _ => None,
        }
        .map(Set)
    }
}

/// An option that takes one of the names of a [`Choice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct One<C>(
    /// The value.
    pub C,
);

impl<C: Choice> OptionType for One<C> {
    const KIND: OptionKind = OptionKind::Choice(C::NAMES);

    fn of(value: &OptionValue) -> Option<Self> {
        match value {
            OptionValue::Str(name) => C::named(name).map(One),
            _ => None,
        }
    }
}

impl OptionKind {
    /// Restricts numbers to a range, bounds included. Used in constants by [`options!`](crate::options).
    ///
    /// # Panics
    ///
    /// If the kind is not numeric.
    #[must_use]
    pub const fn within(self, min: f64, max: f64) -> Self {
        match self {
            OptionKind::Int { .. } => OptionKind::Int {
                min: min as i64,
                max: max as i64,
            },
            OptionKind::Float { .. } => OptionKind::Float { min, max },
            _ => panic!("only a numeric option has a range"),
        }
    }
}

/// Declares the options of a pass: a struct whose fields are the options and whose doc comments are their
/// help, and its [`TypedOptions`].
///
/// ```
/// use mirage_pass::{Options, OptionKind, PassInfo, Phase, Numerics, Set, TypedOptions};
///
/// mirage_pass::choices! {
///     /// Groups of operations that may stay f32.
///     pub enum Group { Norm = "norm", Softmax = "softmax" }
/// }
///
/// mirage_pass::options! {
///     /// The options of `narrow`.
///     pub struct Narrow {
///         /// operations that stay f32
///         keep: Set<Group> = "norm";
///         /// minimum number of elements to cast
///         min: usize = 16 in 0..=4096;
///         /// also cast inputs
///         inputs: bool = false;
///     }
/// }
///
/// static INFO: PassInfo = PassInfo {
///     options: Narrow::SPECS,
///     ..PassInfo::new("narrow", 1, "casts to f16", Phase::Precision, Numerics::Reassociates)
/// };
///
/// assert_eq!(INFO.options[0].doc, "operations that stay f32");
/// assert_eq!(INFO.options[1].kind, OptionKind::Int { min: 0, max: 4096 });
///
/// // In a pass: `let options = Narrow::read(cx.options)?;`
/// let given = Options::from_pairs(&INFO, [("keep", "softmax"), ("min", "8")])?;
/// let options = Narrow::read(&given)?;
/// assert!(options.keep.contains(Group::Softmax) && !options.keep.contains(Group::Norm));
/// assert_eq!((options.min, options.inputs), (8, false));
/// # Ok::<(), mirage_pass::OptionError>(())
/// ```
#[macro_export]
macro_rules! options {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $ty:ty = $default:literal $(in $min:literal ..= $max:literal)?;
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $(
                $(#[doc = $doc])+
                $vis $field: $ty,
            )+
        }

        impl $crate::TypedOptions for $name {
            #[allow(clippy::unnecessary_cast, reason = "a bound may be of either kind")]
            const SPECS: &'static [$crate::OptionSpec] = &[$(
                $crate::OptionSpec {
                    name: stringify!($field),
                    kind: <$ty as $crate::OptionType>::KIND
                        $(.within($min as f64, $max as f64))?,
                    default: concat!($default),
                    doc: concat!($($doc),+).trim_ascii(),
                },
            )+];

            fn read(options: &$crate::Options) -> Result<Self, $crate::OptionError> {
                Ok(Self {
                    $($field: options.value(stringify!($field))?,)+
                })
            }
        }
    };
}

/// Declares an enum of named option values, and its [`Choice`].
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "a value is documented by its name where it needs no more")]
        $vis enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $crate::Choice for $name {
            const ALL: &'static [Self] = &[$($name::$variant),+];
            const NAMES: &'static [&'static str] = &[$($text),+];
        }
    };
}

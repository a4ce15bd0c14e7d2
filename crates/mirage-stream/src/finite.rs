//! Finds where a program leaves the range of its numbers.

use std::fmt;

use mirage_backend::BackendError;
use mirage_capture::Captured;
use mirage_ir::{
    cost::graph_cost,
    interp::{self, Elements, Tensor},
};

use crate::{Named, StreamError};

/// The number of NaN and infinite elements of a tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotFinite {
    /// Elements that are NaN.
    pub nan: usize,
    /// Elements that are infinite.
    pub infinite: usize,
    /// All elements.
    pub total: usize,
}

impl NotFinite {
    /// Counts the elements of a tensor.
    pub fn count(values: impl IntoIterator<Item = f64>) -> Self {
        let mut found = NotFinite::default();
        for value in values {
            found.total += 1;
            found.nan += usize::from(value.is_nan());
            found.infinite += usize::from(value.is_infinite());
        }
        found
    }

    /// Counts the elements of a tensor of any dtype. Integers and bools are finite.
    pub fn of(tensor: &Tensor) -> Self {
        match tensor.elements() {
            Elements::Float(values) => NotFinite::count(values.iter().copied()),
            Elements::Int(values) => NotFinite::count(values.iter().map(|_| 0.0)),
            Elements::Bool(values) => NotFinite::count(values.iter().map(|_| 0.0)),
        }
    }

    /// Returns whether there are any.
    pub fn any(&self) -> bool {
        self.nan + self.infinite > 0
    }
}

/// `3 of 10 elements are NaN`.
impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (nan, infinite, total) = (self.nan, self.infinite, self.total);
        let are = |n: usize| if n == 1 { "is" } else { "are" };
        match (nan, infinite) {
            (nan, 0) => write!(f, "{nan} of {total} elements {} NaN", are(nan)),
            (0, infinite) => write!(
                f,
                "{infinite} of {total} elements {} infinite",
                are(infinite)
            ),
            _ => write!(
                f,
                "of {total} elements {nan} {} NaN and {infinite} {} infinite",
                are(nan),
                are(infinite)
            ),
        }
    }
}

/// The first node whose values are too large for each kind of number, by a run of the reference interpreter in f64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// NaN or infinite in f64, so at any precision; `None` if the results are finite in f64.
    pub not_finite: Option<String>,
    /// Beyond the range of f32.
    pub beyond_f32: Option<String>,
    /// Beyond the range of f16.
    pub beyond_f16: Option<String>,
}

/// The largest finite f16.
const MAX_F16: f64 = 65504.0;

/// Programs with more operations are not searched: the interpreter would take minutes.
const MOST_FLOPS: u64 = 4_000_000_000;

impl Ranges {
    /// Runs a program on inputs, from states of zero. `None` if the program is so large that it would take minutes.
    ///
    /// # Errors
    /// If an input is missing or the interpreter fails.
    pub fn find(captured: &Captured, inputs: &[Named]) -> Result<Option<Self>, StreamError> {
        let graph = &captured.graph;
        if graph_cost(graph).flops > MOST_FLOPS {
            return Ok(None);
        }
        let values = crate::parity::in_order(graph, inputs)?;
        let mut found = Ranges::default();
        let (mut nan, mut infinite) = (None, None);
        // Operations that no layer has, such as those of a norm, stand after the layer before them.
        let mut last = String::new();
        let run = interp::run_values(graph, &captured.params, &values, &[], |id, outputs| {
            let node = graph.node(id);
            let path = node.path.to_string();
            let floats = outputs.iter().filter_map(|t| match t.elements() {
                Elements::Float(values) => Some(values),
                _ => None,
            });
            for value in floats.flatten() {
                let place = || {
                    let op = node.op.name();
                    match (path.is_empty(), last.is_empty()) {
                        (false, _) => format!("`{path}` ({op})"),
                        (true, false) => format!("the operation {op} after `{last}`"),
                        (true, true) => format!("the operation {op}"),
                    }
                };
                if value.is_nan() {
                    nan.get_or_insert_with(place);
                } else if value.is_infinite() {
                    // A constant may be infinite on purpose, as in a mask of attention.
                    if !node.inputs.is_empty() {
                        infinite.get_or_insert_with(place);
                    }
                } else if value.abs() > f64::from(f32::MAX) {
                    found.beyond_f32.get_or_insert_with(place);
                } else if value.abs() > MAX_F16 {
                    found.beyond_f16.get_or_insert_with(place);
                }
            }
            if !path.is_empty() {
                last = path;
            }
        });
        let run = run.map_err(BackendError::from)?;
        let mut results = run.outputs.iter().chain(&run.states);
        if results.any(|tensor| NotFinite::of(tensor).any()) {
            found.not_finite = nan.or(infinite);
        }
        Ok(Some(found))
    }

    /// Explains an output that is not finite; `lowering` has the passes that lower precision.
    pub fn explain(&self, lowering: &[&str]) -> String {
        let passes = lowering.join(" and ");
        if let Some(place) = &self.not_finite {
            return format!(
                "the first layer that is not finite is {place}, also in f64, so no pass or dtype is the cause; check the weights and the input"
            );
        }
        if let Some(place) = &self.beyond_f32 {
            return format!(
                "the first layer beyond the range of f32 is {place}, so no pass is the cause; check the weights and the input"
            );
        }
        match (&self.beyond_f16, lowering) {
            (Some(place), [_, ..]) => format!(
                "in f64 every layer is finite, and the first one beyond the range of f16 is {place}, so {passes} may be the cause; run without {passes}, use bf16 instead of fp16, or keep this layer in f32"
            ),
            (None, [_, ..]) => format!(
                "in f64 every layer is finite and in the range of f16, so {passes} or the backend is the cause; run without {passes}, and compare with mirage parity"
            ),
            (_, []) => "in f64 every layer is finite and in the range of f32, so a pass or the backend is the cause; run without passes, and compare with mirage parity".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{NotFinite, Ranges};

    #[test]
    fn elements_that_are_not_finite_are_counted() {
        let count = |values: &[f64]| NotFinite::count(values.iter().copied()).to_string();
        assert_eq!(count(&[f64::NAN, 1.0]), "1 of 2 elements is NaN");
        assert_eq!(
            count(&[f64::INFINITY, f64::NEG_INFINITY]),
            "2 of 2 elements are infinite"
        );
        assert_eq!(
            count(&[f64::NAN, f64::INFINITY, 0.0, f64::NAN]),
            "of 4 elements 2 are NaN and 1 is infinite"
        );
        assert!(!NotFinite::count([0.0, -1e308]).any());
    }

    #[test]
    fn passes_are_blamed_only_where_f64_is_finite() {
        let place = || Some("`a` (conv)".to_owned());
        let ranges = Ranges {
            not_finite: place(),
            ..Ranges::default()
        };
        assert!(!ranges.explain(&["fp16"]).contains("without fp16"));
        let ranges = Ranges {
            beyond_f16: place(),
            ..Ranges::default()
        };
        assert!(ranges.explain(&["fp16"]).contains("without fp16"));
        assert!(!ranges.explain(&[]).contains("fp16"));
    }
}

//! Numerics classes: how much a pass may change numerical results.

use std::fmt;

use serde::Serialize;

use crate::Plan;

/// How much a pass may change the results of a graph.
///
/// In the f64 interpreter, the first two classes must give the same bits, and the next two must stay within
/// a bound on the error relative to the output's largest absolute value: [`Numerics::interpreter_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numerics {
    /// The results have the same bits on every backend: the same operations run on the same operands.
    BitIdentical,
    /// The definition is the same, so the interpreter gives the same bits. The backend runs other kernels,
    /// which may sum in another sequence and round less often.
    SameDefinition,
    /// The same function by another sequence of operations: results differ by f32 rounding.
    Reassociates,
    /// Results are computed in fewer bits.
    LowersPrecision {
        /// The bound on the error, relative to the largest absolute value of the output.
        tolerance: f64,
    },
    /// Another function, whose quality is measured by a metric.
    Lossy {
        /// The metric, such as `psnr`.
        metric: &'static str,
    },
}

/// The bound for reassociation in the interpreter, which computes in f64, while folded constants are f32.
const REASSOCIATION: f64 = 1e-5;

impl Numerics {
    /// Returns the allowed error in the interpreter, relative to the output's largest absolute value. 0 means
    /// the same bits; infinity means that there is no bound.
    pub fn interpreter_bound(self) -> f64 {
        match self {
            Numerics::BitIdentical | Numerics::SameDefinition => 0.0,
            Numerics::Reassociates => REASSOCIATION,
            Numerics::LowersPrecision { tolerance } => tolerance,
            Numerics::Lossy { .. } => f64::INFINITY,
        }
    }

    /// Returns the allowed relative error on a backend whose own tolerance for f32 is `backend`.
    pub fn backend_bound(self, backend: f64) -> f64 {
        match self {
            Numerics::LowersPrecision { tolerance } => backend.max(tolerance),
            Numerics::Lossy { .. } => f64::INFINITY,
            _ => backend,
        }
    }
}

impl fmt::Display for Numerics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Numerics::BitIdentical => f.pad("bit-identical"),
            Numerics::SameDefinition => f.pad("same definition"),
            Numerics::Reassociates => f.pad("reassociates"),
            Numerics::LowersPrecision { tolerance } => {
                write!(f, "lowers precision (tolerance {tolerance})")
            }
            Numerics::Lossy { metric } => write!(f, "lossy (judged by {metric})"),
        }
    }
}

impl Plan {
    /// Returns the allowed error in the interpreter after all steps: the sum of their bounds.
    pub fn interpreter_bound(&self) -> f64 {
        let classes = self.steps.iter().map(|step| step.info().numerics);
        classes.map(Numerics::interpreter_bound).sum()
    }

    /// Returns the allowed error on a backend: the backend's own tolerance or the largest of the steps',
    /// whichever is larger.
    pub fn backend_bound(&self, backend: f64) -> f64 {
        let classes = self.steps.iter().map(|step| step.info().numerics);
        classes.fold(backend, |bound, class| {
            bound.max(class.backend_bound(backend))
        })
    }
}

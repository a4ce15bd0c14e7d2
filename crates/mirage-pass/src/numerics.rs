//! What a pass promises about the numbers.

use std::fmt;

use serde::Serialize;

use crate::Plan;

/// What a pass may change in the numbers that a graph computes.
///
/// The first two classes are held by bits in the f64 interpreter, the next two by a bound on the error
/// relative to the largest absolute value of the output: [`Numerics::interpreter_bound`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numerics {
    /// The same bits, on every backend too: what is computed is computed by the same operations on the
    /// same operands.
    BitIdentical,
    /// The same definition: the interpreter gives the same bits. The backend is asked for other kernels,
    /// which may sum in another sequence and round less often.
    SameDefinition,
    /// The same function in another sequence of operations: rounding of f32 only.
    Reassociates,
    /// Results in fewer bits.
    LowersPrecision {
        /// The bound on the error, relative to the largest absolute value of the output.
        tolerance: f64,
    },
    /// Another function, judged by a metric.
    Lossy {
        /// The metric, such as `psnr`.
        metric: &'static str,
    },
}

/// What reassociating may cost in the interpreter: it computes in f64, but folded constants are f32.
const REASSOCIATION: f64 = 1e-5;

impl Numerics {
    /// What results in the interpreter may differ by, relative to the output's largest absolute value.
    /// 0 stands for the same bits, infinity for a function of its own.
    pub fn interpreter_bound(self) -> f64 {
        match self {
            Numerics::BitIdentical | Numerics::SameDefinition => 0.0,
            Numerics::Reassociates => REASSOCIATION,
            Numerics::LowersPrecision { tolerance } => tolerance,
            Numerics::Lossy { .. } => f64::INFINITY,
        }
    }

    /// What results on a backend may differ by where the backend promises `backend` for exact
    /// arithmetic in f32: kernels round in every class.
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
    /// What results in the interpreter may differ by after all steps: the sum of what each may cost.
    pub fn interpreter_bound(&self) -> f64 {
        let classes = self.steps.iter().map(|step| step.info().numerics);
        classes.map(Numerics::interpreter_bound).sum()
    }

    /// What results on a backend may differ by: what the backend promises, or the loosest step where
    /// that is more.
    pub fn backend_bound(&self, backend: f64) -> f64 {
        let classes = self.steps.iter().map(|step| step.info().numerics);
        classes.fold(backend, |bound, class| {
            bound.max(class.backend_bound(backend))
        })
    }
}

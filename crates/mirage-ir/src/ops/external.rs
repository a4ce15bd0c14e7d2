//! Operations that the graph does not model.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{OpError, Operation, TensorType, interp::Tensor, op_bail, op_ensure};

/// For the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Extern>()];

/// An operation of another engine, kept as that engine wrote it, so that a backend which holds the
/// engine can run it. Inputs and outputs are row-major. It has no f64 definition here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extern {
    /// The engine, such as `burn`.
    pub engine: String,
    /// The engine's version, which the form of `payload` belongs to.
    pub version: String,
    /// What the engine calls the operation, for people.
    pub name: String,
    /// The operation in the engine's own form (JSON).
    pub payload: String,
    /// Types of the inputs.
    pub inputs: Vec<TensorType>,
    /// Types of the outputs.
    pub outputs: Vec<TensorType>,
}

impl Operation for Extern {
    const NAMES: &'static [&'static str] = &["extern"];

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        rules::arity(inputs, self.inputs.len()..=self.inputs.len())?;
        for (i, (got, want)) in inputs.iter().zip(&self.inputs).enumerate() {
            op_ensure!(
                got.same_memory(want),
                "input {i} of {} must be {want}, got {got}",
                self.name
            );
        }
        rules::all_row_major(inputs)?;
        self.outputs.iter().try_for_each(rules::row_major)?;
        Ok(self.outputs.clone())
    }

    fn eval(&self, _inputs: &[&Tensor], _outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        op_bail!(
            "{} is an operation of {} {}, which has no reference definition: compare on a backend instead",
            self.name,
            self.engine,
            self.version
        )
    }
}

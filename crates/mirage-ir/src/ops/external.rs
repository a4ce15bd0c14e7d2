//! Operations that the graph does not model.

use serde::{Deserialize, Serialize};

use super::{Kind, kind, rules};
use crate::{OpError, Operation, TensorType, interp::Tensor, op_bail, op_ensure};

/// The kinds of this file, for the table of operations.
pub(super) const KINDS: &[Kind] = &[kind::<Extern>()];

/// An operation of another engine in that engine's own form, which a backend with that engine can run.
/// Inputs and outputs are row-major. It has no f64 definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extern {
    /// The engine, such as `burn`.
    pub engine: String,
    /// The engine's version, which determines the form of `payload`.
    pub version: String,
    /// The engine's name of the operation, for messages.
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
            "{} is an operation of {} {} without a reference definition: compare on a backend instead",
            self.name,
            self.engine,
            self.version
        )
    }
}

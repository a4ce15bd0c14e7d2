//! The function `capture`.

use burn::module::Module;
use mirage_ir::{Graph, Params};

use crate::{CaptureError, Inputs, IntoOutputs, Spec, build::build, record::record};

/// A captured module.
///
/// **Parameters** have their path in the module tree as name, such as `down.0.block.1.conv1.weight`, in the
/// order of the tree. Parameters that no result depends on are left out. Other tensors of the module become
/// constant operations if their elements are all equal or few, and otherwise parameters `constant.N`.
///
/// **Module paths** of nodes: a node that reads parameters of a module gets that module's path; with several
/// modules, the innermost one around them. Values that are computed from parameters alone count as
/// parameters of their module. Any other node gets the innermost module around the nearest such nodes before
/// and after it in order of execution, or an empty path before the first and after the last of them. So
/// `conv → silu → conv` in `block.1` gives `block.1.conv1`, `block.1`, `block.1.conv2`.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The verified graph.
    pub graph: Graph,
    /// The values of its parameters, which share burn's memory.
    pub params: Params,
}

/// Captures what `run` computes with `module` on inputs of the given types.
///
/// The module is used in validation mode and is not changed. `run` is called once with tensors that have no
/// values: shapes are fixed, control flow is recorded as executed, and reading a tensor's values is an
/// error. It may call the module many times; all of it becomes one graph. Random numbers must be inputs.
///
/// # Errors
///
/// If the closure panics, reads an undeclared input, or returns a tensor of another device; if the module
/// draws random numbers or has quantized tensors.
pub fn capture<M: Module, O: IntoOutputs>(
    name: &str,
    module: &M,
    inputs: &[Spec],
    run: impl FnOnce(&M, &Inputs) -> O,
) -> Result<Captured, CaptureError> {
    build(name, inputs, record(module, inputs, run)?)
}

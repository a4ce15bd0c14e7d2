//! The entry point.

use burn::module::Module;
use mirage_ir::{Graph, Params};

use crate::{CaptureError, Inputs, IntoOutputs, Spec, build::build, record::record};

/// A captured module.
///
/// **Parameters** carry their path in the module tree, such as `down.0.block.1.conv1.weight`, in
/// the order of the tree; those that no result depends on are left out. Tensors that the module
/// keeps or makes outside of its parameters are operations where all elements are equal or few,
/// and otherwise parameters called `constant.N`.
///
/// **Module paths** of nodes: a node that reads parameters of one module gets that module's path
/// (of several modules: the innermost one around them); values that are computed from parameters
/// alone count as parameters of their module. Any other node gets the innermost module around the
/// nearest such nodes before and after it, in order of execution; before the first and after the
/// last of them it gets the whole, an empty path. So `conv → silu → conv` inside of `block.1` gives
/// `block.1.conv1`, `block.1`, `block.1.conv2`.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The program, verified.
    pub graph: Graph,
    /// The values of its parameters. They share burn's memory.
    pub params: Params,
}

/// Captures what `run` does with `module` on inputs of the given types.
///
/// The module is taken in validation mode and is left as it is. `run` is called once, on tensors
/// without content: shapes are fixed, control flow is recorded as it went, and reading a tensor's
/// values panics. It may call the module many times; the whole becomes one graph. Random numbers
/// have to come in as inputs.
///
/// # Errors
///
/// If the closure panics, asks for an input that was not declared, or returns a tensor of another
/// device; if the module draws random numbers or holds quantized tensors.
pub fn capture<M: Module, O: IntoOutputs>(
    name: &str,
    module: &M,
    inputs: &[Spec],
    run: impl FnOnce(&M, &Inputs) -> O,
) -> Result<Captured, CaptureError> {
    build(name, inputs, record(module, inputs, run)?)
}

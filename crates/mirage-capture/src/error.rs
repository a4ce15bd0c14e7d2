//! Errors of a capture.

use mirage_ir::{GraphError, TensorType};

/// An error of a capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The closure panicked.
    #[error("the module panicked while it was recorded: {0}")]
    Panicked(String),
    /// The closure reads the values of a recorded tensor.
    #[error(
        "the module reads the values of a tensor during capture, when tensors have no values \
         ({0}): compute with tensors instead. For `one_hot(n)`, which reads its indices, write \
         `indices.unsqueeze_dim(d).equal(Tensor::arange(0..n, &device).unsqueeze()).float()`; for an \
         `if` on a value, `mask_where`"
    )]
    ReadsValues(String),
    /// The closure reads an undeclared input.
    #[error("`{name}` is not a declared input or state; declared: {declared}")]
    UnknownInput {
        /// The name.
        name: String,
        /// The names declared.
        declared: String,
    },
    /// The closure reads an input as another kind or rank than it was declared.
    #[error("input `{name}` is {declared}, but is read as {asked}")]
    WrongInput {
        /// Its name.
        name: String,
        /// Its declared type.
        declared: TensorType,
        /// The kind and rank that the closure reads.
        asked: String,
    },
    /// Two inputs or states have the same name.
    #[error("two inputs or states have the name `{0}`: rename one")]
    DuplicateInput(String),
    /// A result for a state that was not declared.
    #[error("`{name}` is not a declared state; declared: {declared}")]
    UnknownState {
        /// The name given.
        name: String,
        /// The states declared.
        declared: String,
    },
    /// A result, or a module parameter, is not on the recording device.
    #[error(
        "`{0}` is not on the recording device: compute it from the inputs and the module that are passed to the closure"
    )]
    NotRecorded(String),
    /// The module draws random numbers.
    #[error(
        "the module draws random numbers{0}: pass them as an input, so that every execution can have its own"
    )]
    Random(String),
    /// The operation has side effects.
    #[error(
        "{0} communicates with other devices, which a graph cannot express: capture the module on one device"
    )]
    Collective(String),
    /// A tensor has an element type that graphs do not support.
    #[error("{what} has the element type {dtype}, which graphs do not support: cast it")]
    DType {
        /// The value that has the type.
        what: String,
        /// The type.
        dtype: String,
    },
    /// An operation reads a tensor that the record does not define.
    #[error(
        "{operation} reads a tensor that was created outside of this capture: pass it as an input"
    )]
    Undefined {
        /// The operation that reads it.
        operation: String,
    },
    /// An operation cannot be serialized.
    #[error("{operation} cannot be stored in a graph: {message}")]
    Encode {
        /// The operation.
        operation: String,
        /// Why.
        message: String,
    },
    /// burn's recording device failed.
    #[error("burn's recording device: {0}")]
    Device(String),
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

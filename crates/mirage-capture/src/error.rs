//! Errors of a capture.

use mirage_ir::{GraphError, TensorType};

/// Why a module cannot be captured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The closure panicked.
    #[error("the module panicked while it was recorded: {0}")]
    Panicked(String),
    /// The closure reads the values of a tensor that the recording computes.
    #[error(
        "the module reads the values of a tensor while it is recorded, where a tensor has none \
         ({0}): compute with tensors instead. For `one_hot(n)`, which reads its indices, write \
         `indices.unsqueeze_dim(d).equal(Tensor::arange(0..n, &device).unsqueeze()).float()`; for an \
         `if` on a value, `mask_where`"
    )]
    ReadsValues(String),
    /// The closure asked for an input that was not declared.
    #[error("there is no input or state called `{name}`: declared are {declared}")]
    UnknownInput {
        /// The name asked for.
        name: String,
        /// The names declared.
        declared: String,
    },
    /// The closure asked for an input as another kind or rank than it was declared.
    #[error("input `{name}` is {declared}, but was asked for as {asked}")]
    WrongInput {
        /// Its name.
        name: String,
        /// Its declared type.
        declared: TensorType,
        /// What the closure asked for.
        asked: String,
    },
    /// Two inputs or states have one name.
    #[error("two inputs or states are called `{0}`: rename one")]
    DuplicateInput(String),
    /// A result for a state that was not declared.
    #[error("`{name}` is not a state: declared are {declared}")]
    UnknownState {
        /// The name given.
        name: String,
        /// The states declared.
        declared: String,
    },
    /// A result, or a module parameter, is not on the recording device.
    #[error(
        "`{0}` is not on the recording device: compute it from the inputs and the module that the closure is given"
    )]
    NotRecorded(String),
    /// The module draws random numbers.
    #[error(
        "the module draws random numbers{0}: give them in as an input, so that every execution can have its own"
    )]
    Random(String),
    /// The operation has an effect besides its outputs.
    #[error("{0} talks to other devices, which a graph cannot: capture the module of one device")]
    Collective(String),
    /// A tensor has an element type that the graph has not.
    #[error("{what} has element type {dtype}, which a graph cannot hold: cast it before")]
    DType {
        /// What has the type.
        what: String,
        /// The type.
        dtype: String,
    },
    /// An operation reads a tensor that nothing recorded defines.
    #[error(
        "{operation} reads a tensor that was made outside of this capture: pass it in as an input"
    )]
    Undefined {
        /// The operation that reads it.
        operation: String,
    },
    /// An operation has no form that can be kept.
    #[error("{operation} cannot be kept: {message}")]
    Encode {
        /// The operation.
        operation: String,
        /// Why.
        message: String,
    },
    /// burn refused the capture.
    #[error("burn's recording device: {0}")]
    Device(String),
    /// The graph is not valid.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

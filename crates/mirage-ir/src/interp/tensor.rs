//! Tensors of the interpreter.

/// The elements of a [`Tensor`] in logical row-major sequence, whatever the memory order of the value that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Of a float dtype.
    Float(Vec<f64>),
    /// Of an integer dtype.
    Int(Vec<i64>),
    /// Of bool.
    Bool(Vec<bool>),
}

/// A tensor: shape and elements. A value's memory order has no meaning here.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Logical shape.
    pub shape: Vec<usize>,
    /// Elements.
    pub elements: Elements,
}

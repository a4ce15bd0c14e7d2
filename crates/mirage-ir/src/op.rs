//! Operations: the trait that each kind implements, and the handle that nodes have.

use std::{any::Any, borrow::Cow, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Graph, OpError, TensorType, interp::Tensor, op_ensure};

/// The attributes of an operation, a region or a graph, as a TOML table. Text and wire form have the same
/// map.
pub type Attrs = toml::Table;

/// A kind of operation: its names, type rules, definition and cost.
///
/// The fields of the implementing type are the attributes: its serde form is the attribute map. Everything
/// about an operation except a backend's kernels is in the file that implements this trait;
/// [`crate::ops`] lists the kinds.
pub trait Operation:
    Serialize + DeserializeOwned + Clone + PartialEq + fmt::Debug + Send + Sync + 'static
{
    /// The names of this kind; more than one for a family such as the unary functions.
    const NAMES: &'static [&'static str];

    /// Returns this operation's name: one of [`Self::NAMES`].
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(Self::NAMES[0])
    }

    /// Returns the attributes as a map.
    fn attrs(&self) -> Attrs {
        Attrs::try_from(self).unwrap_or_default()
    }

    /// Returns the operation for one of [`Self::NAMES`], attributes, and the body if it has one.
    fn decode(_name: &str, attrs: Attrs, _body: Option<Arc<Graph>>) -> Result<Self, OpError> {
        attrs
            .try_into()
            .map_err(|e: toml::de::Error| OpError::new(e.message()))
    }

    /// Infers the types of the outputs, by this operation's rules of dtype, shape and memory order. An error
    /// says why the inputs do not fit.
    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError>;

    /// Computes the outputs in f64, integers exactly: the definition of the operation. Inputs and outputs
    /// have been checked by [`Self::infer`].
    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError>;

    /// Returns the floating-point operations of one execution; a multiply-add counts two. The default is one
    /// for each element of the output.
    fn flops(&self, _inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        outputs.iter().map(|t| t.numel() as u64).sum()
    }

    /// Whether the output has the same bytes in memory as the first input, so that nothing is copied.
    fn is_view(&self, _inputs: &[&TensorType], _outputs: &[TensorType]) -> bool {
        false
    }

    /// Returns the body of an operation that has one.
    fn body(&self) -> Option<&Arc<Graph>> {
        None
    }
}

/// Object-safe form of [`Operation`].
trait AnyOperation: fmt::Debug + Send + Sync {
    fn name(&self) -> Cow<'static, str>;
    fn attrs(&self) -> Attrs;
    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError>;
    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError>;
    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64;
    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool;
    fn body(&self) -> Option<&Arc<Graph>>;
    fn eq(&self, other: &dyn Any) -> bool;
    fn as_any(&self) -> &dyn Any;
}

impl<T: Operation> AnyOperation for T {
    fn name(&self) -> Cow<'static, str> {
        Operation::name(self)
    }
    fn attrs(&self) -> Attrs {
        Operation::attrs(self)
    }
    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        Operation::infer(self, inputs)
    }
    fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        Operation::eval(self, inputs, outputs)
    }
    fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        Operation::flops(self, inputs, outputs)
    }
    fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        Operation::is_view(self, inputs, outputs)
    }
    fn body(&self) -> Option<&Arc<Graph>> {
        Operation::body(self)
    }
    fn eq(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|o| o == self)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// An operation of any kind; cheap to clone.
#[derive(Clone)]
pub struct Op(Arc<dyn AnyOperation>);

impl Op {
    /// Wraps an operation.
    pub fn new(operation: impl Operation) -> Self {
        Op(Arc::new(operation))
    }

    /// Returns the operation, if it is of kind `T`.
    pub fn get<T: Operation>(&self) -> Option<&T> {
        self.0.as_any().downcast_ref()
    }

    /// Whether it is of kind `T`.
    pub fn is<T: Operation>(&self) -> bool {
        self.get::<T>().is_some()
    }

    /// See [`Operation::name`].
    pub fn name(&self) -> Cow<'static, str> {
        self.0.name()
    }

    /// See [`Operation::attrs`].
    pub fn attrs(&self) -> Attrs {
        self.0.attrs()
    }

    /// See [`Operation::infer`]. Also an error if an output is too large to be addressed.
    pub fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, OpError> {
        let outputs = self.0.infer(inputs)?;
        for ty in &outputs {
            let elements = ty.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
            let bytes = elements.and_then(|n| n.checked_mul(ty.dtype.size()));
            op_ensure!(
                bytes.is_some_and(|b| isize::try_from(b).is_ok()),
                "its output {ty} has more elements than memory can address"
            );
        }
        Ok(outputs)
    }

    /// See [`Operation::eval`].
    pub fn eval(&self, inputs: &[&Tensor], outputs: &[TensorType]) -> Result<Vec<Tensor>, OpError> {
        self.0.eval(inputs, outputs)
    }

    /// See [`Operation::flops`].
    pub fn flops(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> u64 {
        self.0.flops(inputs, outputs)
    }

    /// See [`Operation::is_view`].
    pub fn is_view(&self, inputs: &[&TensorType], outputs: &[TensorType]) -> bool {
        self.0.is_view(inputs, outputs)
    }

    /// See [`Operation::body`].
    pub fn body(&self) -> Option<&Arc<Graph>> {
        self.0.body()
    }
}

impl<T: Operation> From<T> for Op {
    fn from(operation: T) -> Self {
        Op::new(operation)
    }
}

impl PartialEq for Op {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.eq(other.0.as_any())
    }
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

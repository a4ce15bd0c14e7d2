//! Queries for patterns.

use mirage_ir::{
    Graph, Node, NodeId, Operation, TensorType, ValueId,
    analysis::Uses,
    ops::{Binary, Full, Scalar, Unary, WithScalar},
};

/// A graph and the users of each of its values.
pub struct View<'g> {
    graph: &'g Graph,
    uses: Uses,
}

impl<'g> View<'g> {
    /// Returns a view of this graph.
    pub fn new(graph: &'g Graph) -> Self {
        View {
            graph,
            uses: Uses::of(graph),
        }
    }

    /// Returns the graph.
    pub fn graph(&self) -> &'g Graph {
        self.graph
    }

    /// Returns the users of each value.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Returns a value's type.
    pub fn ty(&self, value: ValueId) -> &'g TensorType {
        self.graph.ty(value)
    }

    /// Returns the node that defines the value.
    pub fn node(&self, value: ValueId) -> Option<(NodeId, &'g Node)> {
        self.graph.producer(value)
    }

    /// Returns the operation that defines the value, if it is a `T`, and its operands.
    pub fn made_by<T: Operation>(&self, value: ValueId) -> Option<(&'g T, &'g [ValueId])> {
        let (node, op) = self.graph.producer_of::<T>(value)?;
        Some((op, &node.inputs))
    }

    /// Returns x if the value is `f(x)`.
    pub fn unary(&self, value: ValueId, f: Unary) -> Option<ValueId> {
        let (op, inputs) = self.made_by::<Unary>(value)?;
        (*op == f).then(|| inputs[0])
    }

    /// Returns a and b if the value is `f(a, b)`.
    pub fn binary(&self, value: ValueId, f: Binary) -> Option<[ValueId; 2]> {
        let (op, inputs) = self.made_by::<Binary>(value)?;
        (*op == f).then(|| [inputs[0], inputs[1]])
    }

    /// Returns what `pick` returns for (a, b), or else for (b, a), if the value is `f(a, b)`.
    pub fn either<R>(
        &self,
        value: ValueId,
        f: Binary,
        pick: impl Fn(ValueId, ValueId) -> Option<R>,
    ) -> Option<R> {
        let [a, b] = self.binary(value, f)?;
        pick(a, b).or_else(|| pick(b, a))
    }

    /// Returns x and c if the value is `f(x, c)` with a scalar c.
    pub fn scalar(&self, value: ValueId, f: Binary) -> Option<(ValueId, f64)> {
        let (op, inputs) = self.made_by::<WithScalar>(value)?;
        (op.f == f).then(|| (inputs[0], op.value.as_f64()))
    }

    /// Returns x if the value is x·x, in any of its forms.
    pub fn square(&self, value: ValueId) -> Option<ValueId> {
        if let Some([a, b]) = self.binary(value, Binary::Mul) {
            return (a == b).then_some(a);
        }
        if let Some((x, exponent)) = self.scalar(value, Binary::Pow) {
            return (exponent == 2.0).then_some(x);
        }
        self.unary(value, Unary::Square)
    }

    /// Returns the element of a constant value whose elements are all equal.
    pub fn uniform(&self, value: ValueId) -> Option<Scalar> {
        self.made_by::<Full>(value).map(|(full, _)| full.value)
    }
}

//! Sketches: translations of an operation before they are added to the graph.

use std::collections::HashMap;

use burn_ir::{BinaryOpIr, ScalarIr, ScalarOpIr, TensorId, TensorIr, UnaryOpIr};
use mirage_ir::{
    GraphBuilder, Op, Scalar, TensorType, ValueId,
    ops::{Binary, Cast, Reshape, Unary, WithScalar},
};

use super::Rule;
use crate::dtype;

/// Why an operation has no translation.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The graph has no operation for it.
    NoRule,
    /// The translation contradicts what burn recorded.
    Disagrees(String),
}

/// A value of a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Val(usize);

enum Source {
    Graph(ValueId),
    Step(usize),
}

/// Operations of one output each, on values of the graph and on each other.
pub(crate) struct Sketch {
    values: Vec<(Source, TensorType)>,
    steps: Vec<(Op, Vec<Val>)>,
    operands: HashMap<TensorId, Val>,
    results: Vec<(TensorId, Val)>,
    notes: Vec<String>,
}

impl Sketch {
    /// Returns a sketch on these operands.
    pub(crate) fn new<'a>(
        operands: impl Iterator<Item = (TensorId, ValueId, &'a TensorType)>,
    ) -> Self {
        let mut sketch = Sketch {
            values: Vec::new(),
            steps: Vec::new(),
            operands: HashMap::new(),
            results: Vec::new(),
            notes: Vec::new(),
        };
        for (id, value, ty) in operands {
            let val = sketch.value(Source::Graph(value), ty.clone());
            sketch.operands.insert(id, val);
        }
        sketch
    }

    /// Adds a note for the user on a difference between the translation and burn.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Returns the notes.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    fn value(&mut self, source: Source, ty: TensorType) -> Val {
        self.values.push((source, ty));
        Val(self.values.len() - 1)
    }

    /// Returns an operand.
    pub(crate) fn x(&self, tensor: &TensorIr) -> Rule<Val> {
        self.operands.get(&tensor.id).copied().ok_or_else(|| {
            Refusal::Disagrees("reads a tensor that is not among its inputs".to_owned())
        })
    }

    /// Returns operands.
    pub(crate) fn xs<'a>(&self, tensors: impl IntoIterator<Item = &'a TensorIr>) -> Rule<Vec<Val>> {
        tensors.into_iter().map(|t| self.x(t)).collect()
    }

    /// Returns the type of a value.
    pub(crate) fn ty(&self, val: Val) -> &TensorType {
        &self.values[val.0].1
    }

    /// Adds an operation with one output.
    pub(crate) fn op(&mut self, op: impl Into<Op>, inputs: &[Val]) -> Rule<Val> {
        let op = op.into();
        let types: Vec<&TensorType> = inputs.iter().map(|&v| self.ty(v)).collect();
        let mut outputs = op
            .infer(&types)
            .map_err(|e| Refusal::Disagrees(format!("{}: {e}", op.name())))?;
        let (Some(ty), true) = (outputs.pop(), outputs.is_empty()) else {
            return Err(Refusal::Disagrees(format!(
                "{} does not have exactly one output",
                op.name()
            )));
        };
        self.steps.push((op, inputs.to_vec()));
        Ok(self.value(Source::Step(self.steps.len() - 1), ty))
    }

    /// Adds a function of an element and a scalar.
    pub(crate) fn with(&mut self, f: Binary, x: Val, value: f64) -> Rule<Val> {
        self.op(
            WithScalar {
                f,
                value: Scalar::Float(value),
            },
            &[x],
        )
    }

    /// Adds a reshape, unless the value has the shape.
    pub(crate) fn reshape(&mut self, x: Val, shape: &[usize]) -> Rule<Val> {
        if self.ty(x).shape == shape {
            return Ok(x);
        }
        self.op(Reshape::to(shape), &[x])
    }

    /// Adds a cast, unless the value has the dtype.
    pub(crate) fn cast(&mut self, x: Val, dtype: mirage_ir::DType) -> Rule<Val> {
        if self.ty(x).dtype == dtype {
            return Ok(x);
        }
        self.op(Cast { dtype }, &[x])
    }

    /// Converts a recorded scalar to the tensor's dtype.
    pub(crate) fn scalar(&self, value: ScalarIr, of: Val) -> Rule<Scalar> {
        dtype::scalar(value, self.ty(of).dtype).ok_or(Refusal::NoRule)
    }

    /// Binds a value to an output of the operation; checks dtype and shape against the recorded ones.
    pub(crate) fn bind(&mut self, out: &TensorIr, val: Val) -> Rule {
        let ty = self.ty(val);
        match dtype::tensor_type(out) {
            Some(recorded) if recorded == *ty => {
                self.results.push((out.id, val));
                Ok(())
            }
            _ => Err(Refusal::Disagrees(format!(
                "gives {ty}, burn recorded {:?}{:?}",
                out.dtype,
                dtype::dims(&out.shape)
            ))),
        }
    }

    /// Translates an operation that is a unary function.
    pub(crate) fn unary(&mut self, f: Unary, op: &UnaryOpIr) -> Rule {
        let x = self.x(&op.input)?;
        let y = self.op(f, &[x])?;
        self.bind(&op.out, y)
    }

    /// Translates an operation that is a binary function.
    pub(crate) fn binary(&mut self, f: Binary, op: &BinaryOpIr) -> Rule {
        let (a, b) = (self.x(&op.lhs)?, self.x(&op.rhs)?);
        let y = self.op(f, &[a, b])?;
        self.bind(&op.out, y)
    }

    /// Translates an operation that is a function of an element and a scalar.
    pub(crate) fn scalar_op(&mut self, f: Binary, op: &ScalarOpIr) -> Rule {
        let x = self.x(&op.lhs)?;
        let value = self.scalar(op.rhs, x)?;
        let y = self.op(WithScalar { f, value }, &[x])?;
        self.bind(&op.out, y)
    }

    /// Whether all of these outputs are bound.
    pub(crate) fn defines<'a>(&self, mut outputs: impl Iterator<Item = &'a TensorIr>) -> bool {
        outputs.all(|out| self.results.iter().any(|(id, _)| *id == out.id))
    }

    /// Adds the operations to a graph; returns the values of the recorded outputs.
    pub(crate) fn commit(
        self,
        b: &mut GraphBuilder,
    ) -> Result<Vec<(TensorId, ValueId)>, mirage_ir::GraphError> {
        let mut made = Vec::with_capacity(self.steps.len());
        let values = &self.values;
        let resolve = |made: &[ValueId], val: Val| match values[val.0].0 {
            Source::Graph(value) => value,
            Source::Step(step) => made[step],
        };
        for (op, inputs) in &self.steps {
            let inputs: Vec<ValueId> = inputs.iter().map(|&v| resolve(&made, v)).collect();
            made.push(b.op(op.clone(), &inputs)?);
        }
        Ok(self
            .results
            .iter()
            .map(|&(id, val)| (id, resolve(&made, val)))
            .collect())
    }
}

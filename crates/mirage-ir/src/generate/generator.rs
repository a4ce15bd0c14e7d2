//! The graph as it grows: which values there are, how large they can be, and new ones.

use std::collections::HashMap;

use super::{
    Generated, Options, call, contraction, elementwise, lookup, normalization, rng::Rng, rounding,
    scalar, shape, spatial,
};
use crate::{
    DType, Graph, GraphBuilder, GraphError, Op, OpError, Params, TensorType, ValueId,
    analysis::Uses,
    interp::{Elements, Tensor},
    ops::{Binary, WithScalar},
};

/// The magnitude up to which a float value is taken as an operand.
const LIMIT: f64 = 16.0;
/// The magnitude up to which an integer value is taken as an operand.
const INT_LIMIT: f64 = 1e4;
/// The number of elements up to which a value is taken as an operand.
const MAX_ELEMENTS: usize = 2048;

/// A way to add a node or a few. Gives whether it found operands.
pub(super) type Recipe = fn(&mut Generator) -> Result<bool, GraphError>;

/// A value that nodes may take.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) value: ValueId,
    /// The largest magnitude that its elements can have.
    pub(super) bound: f64,
}

pub(super) struct Generator<'a> {
    pub(super) builder: GraphBuilder,
    pub(super) rng: Rng,
    pub(super) options: &'a Options,
    /// Whether the graph becomes the body of calls, which has no states.
    is_body: bool,
    pool: Vec<Operand>,
    pub(super) params: Params,
    inputs: Vec<Tensor>,
    states: Vec<Tensor>,
}

impl<'a> Generator<'a> {
    pub(super) fn new(seed: u64, options: &'a Options) -> Self {
        Generator {
            builder: Graph::builder(format!("generated-{seed}")),
            rng: Rng::new(seed),
            options,
            is_body: false,
            pool: Vec::new(),
            params: Params::new(),
            inputs: Vec::new(),
            states: Vec::new(),
        }
    }

    /// The generator of a body whose first inputs are of these float types, as large as operands are.
    pub(super) fn of_body(
        seed: u64,
        options: &'a Options,
        inputs: &[TensorType],
    ) -> Result<Self, GraphError> {
        let mut body = Generator {
            is_body: true,
            ..Self::new(seed, options)
        };
        for ty in inputs {
            let data = body.uniform(ty, -1.0, 1.0)?;
            body.input(ty.clone(), data, LIMIT.max(options.range))?;
        }
        Ok(body)
    }

    /// The bounds of the values that nodes may take.
    pub(super) fn bounds(&self) -> HashMap<ValueId, f64> {
        self.pool.iter().map(|o| (o.value, o.bound)).collect()
    }

    /// The first inputs, and a state now and then.
    pub(super) fn start(&mut self) -> Result<(), GraphError> {
        for i in 0..self.rng.between(1, 3) {
            // A 4-D tensor among them, because most operations need one.
            let shape = if i == 0 {
                self.picture_shape()
            } else {
                self.shape()
            };
            let ty = TensorType::new(self.dtype(), shape);
            let data = self.uniform(&ty, -1.0, 1.0)?;
            self.input(ty, data, self.options.range)?;
        }
        if self.rng.chance(0.3) {
            let ty = self.builder.ty(self.pool[0].value).clone();
            let data = self.uniform(&ty, -1.0, 1.0)?;
            self.states.push(data);
            let value = self.builder.state("memory", ty);
            self.pool.push(Operand {
                value,
                bound: LIMIT.max(self.options.range),
            });
        }
        Ok(())
    }

    /// Nodes, up to the number asked for.
    pub(super) fn grow(&mut self) -> Result<(), GraphError> {
        let mut recipes: Vec<Recipe> = [
            elementwise::RECIPES,
            scalar::RECIPES,
            shape::RECIPES,
            contraction::RECIPES,
            normalization::RECIPES,
            spatial::RECIPES,
            lookup::RECIPES,
        ]
        .concat();
        if rounding::applies(self.options) {
            recipes.extend(rounding::RECIPES);
        }
        if self.options.calls {
            // Often enough among the other recipes.
            let share = recipes.len() / 8;
            recipes.extend(call::RECIPES.iter().cycle().take(share));
        }
        let target = self.rng.between(1, self.options.max_nodes.max(1));
        // Under a narrow filter most recipes find nothing to do.
        for attempt in 0..target * 40 {
            if self.builder.graph().nodes().len() >= target {
                break;
            }
            self.builder
                .set_path(format!("stage{}.layer{}", attempt / 8, attempt % 8));
            if let Some(recipe) = self.rng.choose(&recipes) {
                recipe(self)?;
            }
        }
        Ok(())
    }

    /// Declares results; some values stay unused, for dead code to be found.
    pub(super) fn finish(mut self) -> Result<Generated, GraphError> {
        self.update_state()?;
        let uses = Uses::of(self.builder.graph());
        let made: Vec<ValueId> = self
            .builder
            .graph()
            .nodes()
            .iter()
            .flat_map(|n| n.outputs.clone())
            .collect();
        let mut results = Vec::new();
        for &v in &made {
            let unused = uses.users(v).is_empty();
            if self.rng.chance(if unused { 0.8 } else { 0.05 }) {
                results.push(v);
            }
        }
        if results.is_empty() {
            results.push(made.last().copied().unwrap_or(self.pool[0].value));
        }
        for (i, v) in results.into_iter().enumerate() {
            self.builder.output(format!("output{i}"), v);
        }
        let Generator {
            builder,
            params,
            inputs,
            states,
            ..
        } = self;
        Ok(Generated {
            graph: builder.finish()?,
            params,
            inputs,
            states,
        })
    }

    /// The state becomes a value of its type, the last one that is not the state itself.
    fn update_state(&mut self) -> Result<(), GraphError> {
        let Some(state) = self.builder.graph().states().first().map(|s| s.input) else {
            return Ok(());
        };
        let ty = self.builder.ty(state);
        let fits = |o: &&Operand| o.value != state && self.builder.ty(o.value).same_memory(ty);
        match self.pool.iter().rev().find(fits) {
            Some(new) => self.builder.set_state(state, new.value),
            None => Ok(()),
        }
    }

    /// Whether the options allow all of these operations.
    pub(super) fn allows(&self, names: &[&str]) -> bool {
        let allowed = |name: &&str| match &self.options.ops {
            Some(ops) => ops.iter().any(|o| o == name),
            None => true,
        };
        names.iter().all(allowed)
    }

    /// The type of an operand.
    pub(super) fn ty(&self, operand: Operand) -> TensorType {
        self.builder.ty(operand.value).clone()
    }

    /// A value whose type satisfies `fits`, more often one of the last.
    pub(super) fn pick(&mut self, fits: impl Fn(&TensorType) -> bool) -> Option<Operand> {
        let found: Vec<Operand> = self
            .pool
            .iter()
            .copied()
            .filter(|o| fits(self.builder.ty(o.value)))
            .collect();
        let recent = &found[found.len().saturating_sub(3)..];
        let from = if self.rng.chance(0.5) { recent } else { &found };
        self.rng.choose(from).copied()
    }

    /// Adds a node with one output of at most this magnitude. What is too large for an operand is
    /// scaled down at once, if the options allow that.
    pub(super) fn node(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
        bound: f64,
    ) -> Result<Operand, GraphError> {
        let value = self.builder.op(op, inputs)?;
        let ty = self.builder.ty(value);
        let small = ty.numel() <= MAX_ELEMENTS;
        let operand = Operand { value, bound };
        let limit = if ty.dtype.is_int() {
            INT_LIMIT
        } else {
            LIMIT.max(self.options.range)
        };
        if bound <= limit {
            if small {
                self.pool.push(operand);
            }
            return Ok(operand);
        }
        if ty.dtype.is_float() && small && self.allows(&["mul_scalar"]) {
            // A power of two, which rounds nothing.
            let factor = (-(bound / 4.0).log2().ceil()).exp2();
            return self.node(
                WithScalar::float(Binary::Mul, factor),
                &[value],
                bound * factor,
            );
        }
        Ok(operand)
    }

    /// A new input or parameter with these elements.
    pub(super) fn fresh(
        &mut self,
        ty: TensorType,
        data: Tensor,
        bound: f64,
    ) -> Result<ValueId, GraphError> {
        if self.rng.chance(0.3) {
            return self.input(ty, data, bound);
        }
        let name = match self.is_body {
            // One of a name is one parameter in the whole program.
            true => format!(
                "{}.parameter{}",
                self.builder.graph().name(),
                self.params.len()
            ),
            false => format!("parameter{}", self.params.len()),
        };
        let data = data.to_data(ty.dtype).map_err(|e| self.error(&e))?;
        self.params.insert(name.clone(), data);
        let operand = Operand {
            value: self.builder.param(name, ty),
            bound,
        };
        if self.rng.chance(0.2) {
            self.offer(operand);
        }
        Ok(operand.value)
    }

    fn input(&mut self, ty: TensorType, data: Tensor, bound: f64) -> Result<ValueId, GraphError> {
        let data = data.rounded(ty.dtype).map_err(|e| self.error(&e))?;
        self.inputs.push(data);
        let value = self
            .builder
            .input(format!("input{}", self.inputs.len() - 1), ty);
        self.offer(Operand { value, bound });
        Ok(value)
    }

    /// Makes a value available to nodes; those of one dimension are for parameters of layers only.
    pub(super) fn offer(&mut self, operand: Operand) {
        if self.builder.ty(operand.value).rank() >= 2 {
            self.pool.push(operand);
        }
    }

    /// A new input or parameter of floats between `low` and `high`, in units of the range.
    pub(super) fn floats(
        &mut self,
        ty: TensorType,
        low: f64,
        high: f64,
    ) -> Result<ValueId, GraphError> {
        let data = self.uniform(&ty, low, high)?;
        self.fresh(ty, data, low.abs().max(high.abs()) * self.options.range)
    }

    /// A new input or parameter of integers from `low` to `high`, both included.
    pub(super) fn ints(
        &mut self,
        shape: &[usize],
        low: i64,
        high: i64,
    ) -> Result<ValueId, GraphError> {
        let dtype = if self.rng.chance(0.5) {
            DType::I64
        } else {
            DType::I32
        };
        let ty = TensorType::new(dtype, shape);
        let span = (high - low) as usize;
        let values: Vec<i64> = (0..ty.numel())
            .map(|_| low + self.rng.between(0, span) as i64)
            .collect();
        let data = Tensor::int(shape, values).map_err(|e| self.error(&e))?;
        self.fresh(ty, data, low.abs().max(high.abs()) as f64)
    }

    /// A new input or parameter of bools.
    pub(super) fn bools(&mut self, ty: TensorType) -> Result<ValueId, GraphError> {
        let values: Vec<bool> = (0..ty.numel()).map(|_| self.rng.chance(0.5)).collect();
        let data = Tensor::bool(ty.shape.clone(), values).map_err(|e| self.error(&e))?;
        self.fresh(ty, data, 1.0)
    }

    fn uniform(&mut self, ty: &TensorType, low: f64, high: f64) -> Result<Tensor, GraphError> {
        let range = self.options.range;
        let values = (0..ty.numel())
            .map(|_| self.rng.uniform(low, high) * range)
            .collect();
        let data = Tensor::new(ty.shape.clone(), Elements::Float(values));
        data.and_then(|t| t.rounded(ty.dtype))
            .map_err(|e| self.error(&e))
    }

    /// One of the dtypes asked for.
    pub(super) fn dtype(&mut self) -> DType {
        let options = self.options;
        self.rng
            .choose(&options.dtypes)
            .copied()
            .unwrap_or(DType::F32)
    }

    fn picture_shape(&mut self) -> Vec<usize> {
        let channels = [1, 2, 3, 4, 6, 8];
        let c = self.rng.choose(&channels).copied().unwrap_or(4);
        vec![
            self.rng.between(1, 2),
            c,
            self.rng.between(2, 8),
            self.rng.between(2, 8),
        ]
    }

    /// A shape of 2 to 4 dimensions.
    pub(super) fn shape(&mut self) -> Vec<usize> {
        (0..self.rng.between(2, 4))
            .map(|_| self.rng.between(1, 8))
            .collect()
    }

    pub(super) fn error(&self, e: &OpError) -> GraphError {
        let graph = self.builder.graph().name().to_owned();
        GraphError::Graph {
            graph,
            message: format!("cannot be generated: {e}"),
        }
    }
}

//! Calls of small graphs, each called a few times and on other operands each time.

use std::{collections::HashMap, sync::Arc};

use super::{
    Generated, Options,
    generator::{Generator, Operand, Recipe},
};
use crate::{
    GraphError, Op, TensorType, ValueId,
    interp::{Elements, Tensor},
    ops::Call,
};

pub(super) const RECIPES: &[Recipe] = &[call];

/// A body and one to three calls of it.
fn call(g: &mut Generator) -> Result<bool, GraphError> {
    if !g.allows(&["call"]) || g.options.max_nodes < 2 {
        return Ok(false);
    }
    let callee = Callee::new(g)?;
    let given = callee.given(g)?;
    for _ in 0..g.rng.between(1, 3) {
        let operands: Vec<ValueId> = callee
            .inputs()
            .zip(&given)
            .map(|((ty, bound), &given)| callee.operand(g, &ty, bound).unwrap_or(given))
            .collect();
        let outputs = g.builder.push(callee.op.clone(), &operands)?;
        for (value, bound) in outputs.into_iter().zip(callee.output_bounds()) {
            if let Some(bound) = bound {
                g.offer(Operand { value, bound });
            }
        }
    }
    Ok(true)
}

/// A generated graph as a body.
struct Callee {
    op: Op,
    body: Generated,
    /// The bounds of those of its values that nodes may take, given those of its inputs.
    bounds: HashMap<ValueId, f64>,
}

impl Callee {
    fn new(g: &mut Generator) -> Result<Self, GraphError> {
        let max_nodes = (g.options.max_nodes / 3).max(1);
        let options = Options {
            max_nodes,
            // Bodies may call others, to a limited depth.
            calls: g.rng.chance(0.3),
            ..g.options.clone()
        };
        // Of types that are there, so that calls can take what other nodes give.
        let operands = (0..g.rng.between(1, 2)).filter_map(|_| g.pick(|t| t.dtype.is_float()));
        let operands: Vec<_> = operands.collect();
        let types: Vec<TensorType> = operands.into_iter().map(|o| g.ty(o)).collect();
        let mut inner = Generator::of_body(g.rng.seed(), &options, &types)?;
        inner.grow()?;
        let bounds = inner.bounds();
        let body = inner.finish()?;
        for (name, data) in body.params.iter() {
            g.params.insert(name, data.clone());
        }
        Ok(Callee {
            op: Call::new(Arc::new(body.graph.clone())).into(),
            body,
            bounds,
        })
    }

    /// Types and bounds of the inputs.
    fn inputs(&self) -> impl Iterator<Item = (TensorType, Option<f64>)> {
        let graph = &self.body.graph;
        let input = |v: ValueId| (graph.ty(v).clone(), self.bounds.get(&v).copied());
        graph.inputs().iter().map(move |p| input(p.value))
    }

    fn output_bounds(&self) -> impl Iterator<Item = Option<f64>> {
        let outputs = self.body.graph.outputs().iter();
        outputs.map(|p| self.bounds.get(&p.value).copied())
    }

    /// New inputs and parameters with the content that the body was made for.
    fn given(&self, g: &mut Generator) -> Result<Vec<ValueId>, GraphError> {
        let given = self.inputs().zip(&self.body.inputs);
        given
            .map(|((ty, _), data)| g.fresh(ty, data.clone(), largest(data)))
            .collect()
    }

    /// A value that may stand for an input of the body: floats of its type and within its bound, as
    /// integers may be indices.
    fn operand(&self, g: &mut Generator, ty: &TensorType, bound: Option<f64>) -> Option<ValueId> {
        let bound = bound.filter(|_| ty.dtype.is_float() && g.rng.chance(0.8))?;
        let operand = g.pick(|t| t.same_memory(ty))?;
        (operand.bound <= bound).then_some(operand.value)
    }
}

/// The largest magnitude.
fn largest(tensor: &Tensor) -> f64 {
    match tensor.elements() {
        Elements::Float(v) => v.iter().fold(0.0, |most, x| x.abs().max(most)),
        Elements::Int(v) => v.iter().fold(0.0, |most, &x| (x as f64).abs().max(most)),
        Elements::Bool(_) => 1.0,
    }
}

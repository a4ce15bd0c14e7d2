//! Builds the graph with padded layers.

use std::collections::HashMap;

use mirage_ir::{
    DType, Graph, GraphError, Node, Op, Scalar, ValueId,
    analysis::Prologue,
    ops::{BatchNorm, Binary, Pad, PadMode, Slice},
};
use mirage_pass::rewrite::Rebuild;

use super::zeros::{Extra, kept, may_keep_zeros};
use crate::alignment::{Layer, up_to};

pub(super) struct Padding<'g, M> {
    graph: &'g Graph,
    rebuild: Rebuild<'g>,
    prologue: Prologue,
    multiple: &'g M,
    /// For each old value, whether a layer uses it, possibly through operations that keep zeros.
    wanted: Vec<bool>,
    /// New values by old value and shape, without and with further channels.
    resized: HashMap<(ValueId, Vec<usize>, bool), ValueId>,
}

impl<'g, M: Fn(&str, DType) -> usize> Padding<'g, M> {
    pub(super) fn new(graph: &'g Graph, multiple: &'g M) -> Self {
        let prologue = Prologue::of(graph);
        let mut wanted = vec![false; graph.values().len()];
        for node in graph.nodes().iter().rev() {
            let layer = Layer::of(graph, &prologue, node).filter(|l| l.blocked.is_none());
            if layer.is_some() {
                wanted[node.inputs[0].index()] = true;
            } else if may_keep_zeros(&node.op) && wanted[node.output().index()] {
                node.inputs.iter().for_each(|v| wanted[v.index()] = true);
            }
        }
        Padding {
            graph,
            rebuild: Rebuild::new(graph),
            prologue,
            multiple,
            wanted,
            resized: HashMap::new(),
        }
    }

    pub(super) fn node(&mut self, node: &Node) -> Result<(), GraphError> {
        if let Some(layer) = Layer::of(self.graph, &self.prologue, node)
            && layer.blocked.is_none()
        {
            return self.layer(node, &layer);
        }
        if let Some((op, inputs)) = self.keeping_zeros(node)? {
            return self.rebuild.emit(node, op, &inputs);
        }
        let inputs = node
            .inputs
            .iter()
            .map(|&v| self.own(node, v))
            .collect::<Result<Vec<_>, _>>()?;
        self.rebuild.emit(node, node.op.clone(), &inputs)
    }

    /// Adds the layer with padded operands and weights.
    fn layer(&mut self, node: &Node, layer: &Layer) -> Result<(), GraphError> {
        let out = self.graph.ty(node.output());
        let multiple = (self.multiple)(&node.op.name(), out.dtype).max(1);
        let mut inputs = node
            .inputs
            .iter()
            .map(|&v| self.rebuild.get(v))
            .collect::<Result<Vec<_>, _>>()?;
        let fits = |e: &Extra| e.axis == layer.axis && e.size.is_multiple_of(multiple);
        let ins = match self.extra(node.inputs[0])?.filter(fits) {
            Some(extra) => extra.size,
            None => {
                let x = self.own(node, node.inputs[0])?;
                let ins = up_to(layer.ins, multiple);
                inputs[0] = self.with_channels(node, x, layer.axis, ins, false)?;
                ins
            }
        };
        let outs = up_to(layer.outs, multiple);
        let [in_axis, out_axis] = layer.weight_axes;
        let mut shape = self.rebuild.ty(inputs[1]).shape.clone();
        (shape[in_axis], shape[out_axis]) = (ins, outs);
        inputs[1] = self.grown(node, inputs[1], shape, false)?;
        if let Some(bias) = inputs.get_mut(2) {
            *bias = self.grown(node, *bias, vec![outs], false)?;
        }
        self.rebuild.emit(node, node.op.clone(), &inputs)?;
        if !self.wanted[node.output().index()] {
            let own = self.own(node, node.output())?;
            self.rebuild.set(node.output(), own);
        }
        Ok(())
    }

    /// The padding of the new value for an old value.
    fn extra(&self, old: ValueId) -> Result<Option<Extra>, GraphError> {
        let (old, new) = (self.graph.ty(old), self.rebuild.ty(self.rebuild.get(old)?));
        let axis = (0..old.rank()).find(|&d| old.shape[d] != new.shape[d]);
        Ok(axis.map(|axis| Extra {
            axis,
            own: old.shape[axis],
            size: new.shape[axis],
        }))
    }

    /// Returns the operation and operands that compute the node on padded channels, if some operands are
    /// padded, a layer uses the result, and zeros stay zeros.
    fn keeping_zeros(&mut self, node: &Node) -> Result<Option<(Op, Vec<ValueId>)>, GraphError> {
        if !may_keep_zeros(&node.op) || !self.wanted[node.output().index()] {
            return Ok(None);
        }
        let extras = node
            .inputs
            .iter()
            .map(|&v| self.extra(v))
            .collect::<Result<Vec<_>, _>>()?;
        let mut some = extras.iter().flatten();
        let Some(&extra) = some.next() else {
            return Ok(None);
        };
        // An operand of one channel that is padded like the others would no longer broadcast.
        if some.any(|e| *e != extra) {
            return Ok(None);
        }
        let operands = if node.op.is::<BatchNorm>() {
            self.beside_norm(node, &extras, extra)
        } else if let Some(f) = node.op.get::<Binary>() {
            self.beside_binary(*f, node, &extras, extra)
        } else {
            return match kept(&node.op, extra) {
                Some(op) => Ok(Some((op, vec![self.rebuild.get(node.inputs[0])?]))),
                None => Ok(None),
            };
        };
        let Some(operands) = operands else {
            return Ok(None);
        };
        let mut inputs = Vec::with_capacity(operands.len());
        for (&old, operand) in node.inputs.iter().zip(operands) {
            let new = self.rebuild.get(old)?;
            inputs.push(match operand {
                Beside::AsItIs => new,
                Beside::Padded { axis, ones } => {
                    self.with_channels(node, new, axis, extra.size, ones)?
                }
            });
        }
        Ok(Some((node.op.clone(), inputs)))
    }

    /// Says how to pad the operands of a batch norm on a padded feature map: the further channels become
    /// (0 − 0)/√(1 + eps)·0 + 0. `None` if it cannot be done.
    fn beside_norm(
        &self,
        node: &Node,
        extras: &[Option<Extra>],
        extra: Extra,
    ) -> Option<Vec<Beside>> {
        let pictures = extra.axis == 1 && extras[0].is_some();
        let fixed = |v: &ValueId| self.prologue.is_fixed(*v);
        let fits = pictures && node.inputs[1..].iter().all(fixed);
        let parameter = |ones| Beside::Padded { axis: 0, ones };
        let [gamma, beta, mean, variance] = [false, false, false, true].map(parameter);
        fits.then(|| vec![Beside::AsItIs, gamma, beta, mean, variance])
    }

    /// Says how to pad the operands of f, some of which are padded, so that the further channels are zeros.
    /// `None` if it cannot be done.
    fn beside_binary(
        &self,
        f: Binary,
        node: &Node,
        extras: &[Option<Extra>],
        extra: Extra,
    ) -> Option<Vec<Beside>> {
        use Binary::*;
        let takes = match f {
            Add | Sub | Mul | Max | Min => true,
            Div => extras[1].is_none(),
            _ => false,
        };
        let operand = |(&old, padded): (&ValueId, &Option<Extra>)| {
            let channels = self.graph.ty(old).shape[extra.axis];
            if padded.is_some() || (channels == 1 && matches!(f, Mul | Div)) {
                return Some(Beside::AsItIs);
            }
            let fills = self.prologue.is_fixed(old) && channels == extra.own;
            fills.then_some(Beside::Padded {
                axis: extra.axis,
                ones: f == Div,
            })
        };
        node.inputs
            .iter()
            .zip(extras)
            .map(operand)
            .collect::<Option<Vec<_>>>()
            .filter(|_| takes)
    }

    /// Returns the new value for an old one, without padding.
    fn own(&mut self, like: &Node, old: ValueId) -> Result<ValueId, GraphError> {
        let new = self.rebuild.get(old)?;
        let shape = &self.graph.ty(old).shape;
        if self.rebuild.ty(new).shape == *shape {
            return Ok(new);
        }
        let key = (new, shape.clone(), false);
        if let Some(&known) = self.resized.get(&key) {
            return Ok(known);
        }
        let own = self.rebuild.op(like, first(shape), &[new])?;
        self.resized.insert(key, own);
        Ok(own)
    }

    fn with_channels(
        &mut self,
        like: &Node,
        value: ValueId,
        axis: usize,
        channels: usize,
        ones: bool,
    ) -> Result<ValueId, GraphError> {
        let mut shape = self.rebuild.ty(value).shape.clone();
        shape[axis] = channels;
        self.grown(like, value, shape, ones)
    }

    /// Pads the value with zeros or ones to this shape.
    fn grown(
        &mut self,
        like: &Node,
        value: ValueId,
        shape: Vec<usize>,
        ones: bool,
    ) -> Result<ValueId, GraphError> {
        let own = &self.rebuild.ty(value).shape;
        if *own == shape {
            return Ok(value);
        }
        let key = (value, shape, ones);
        if let Some(&known) = self.resized.get(&key) {
            return Ok(known);
        }
        let pad = Pad {
            before: vec![0; own.len()],
            after: key.1.iter().zip(own).map(|(to, from)| to - from).collect(),
            mode: PadMode::Constant,
            value: Some(Scalar::Float(f64::from(u8::from(ones)))),
        };
        let grown = self.rebuild.op(like, pad, &[value])?;
        self.resized.insert(key, grown);
        Ok(grown)
    }

    pub(super) fn finish(self) -> Result<Graph, GraphError> {
        let Padding { graph, rebuild, .. } = self;
        let mut resized = self.resized;
        rebuild.finish(|rebuild, old| {
            let (new, ty) = (rebuild.get(old)?, graph.ty(old));
            if rebuild.ty(new).shape == ty.shape {
                return Ok(new);
            }
            let key = (new, ty.shape.clone(), false);
            if let Some(&known) = resized.get(&key) {
                return Ok(known);
            }
            let like = graph.producer(old).map(|(_, node)| node.clone());
            let Some(like) = like else { return Ok(new) };
            let own = rebuild.op(&like, first(&ty.shape), &[new])?;
            resized.insert(key, own);
            Ok(own)
        })
    }
}

/// Slices the first elements along each dimension.
fn first(shape: &[usize]) -> Slice {
    Slice {
        start: vec![0; shape.len()],
        end: shape.to_vec(),
        step: vec![1; shape.len()],
    }
}

/// How to pad an operand beside one that is padded.
enum Beside {
    AsItIs,
    /// Padded with zeros or ones.
    Padded {
        axis: usize,
        ones: bool,
    },
}

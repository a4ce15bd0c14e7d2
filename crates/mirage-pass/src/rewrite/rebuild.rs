//! Rebuilds a graph node by node.

use std::collections::HashMap;

use mirage_ir::{Graph, GraphBuilder, GraphError, Node, Op, TensorType, ValueId};

use super::patch::copy_border;

/// Rebuilds a graph: inputs, parameters and states first, then each node as the pass decides, then the
/// outputs. New values are looked up by the old ones.
pub struct Rebuild<'g> {
    old: &'g Graph,
    new: GraphBuilder,
    map: HashMap<ValueId, ValueId>,
}

impl<'g> Rebuild<'g> {
    /// Starts with the old graph's name, attributes, inputs, parameters and states.
    pub fn new(old: &'g Graph) -> Self {
        let mut new = GraphBuilder::new(old.name());
        new.set_attrs(old.attrs().clone());
        let mut map = HashMap::new();
        copy_border(old, &mut new, &mut map);
        Rebuild { old, new, map }
    }

    /// Returns the old graph.
    pub fn old(&self) -> &'g Graph {
        self.old
    }

    /// Returns the new value for an old one.
    pub fn get(&self, old: ValueId) -> Result<ValueId, GraphError> {
        self.map
            .get(&old)
            .copied()
            .ok_or_else(|| GraphError::Graph {
                graph: self.old.name().to_owned(),
                message: format!("{old} has not been rebuilt yet"),
            })
    }

    /// Sets the new value for an old one.
    pub fn set(&mut self, old: ValueId, new: ValueId) {
        self.map.insert(old, new);
    }

    /// Returns the type of a new value.
    pub fn ty(&self, new: ValueId) -> &TensorType {
        self.new.ty(new)
    }

    /// Adds a node with inferred types and the module path of `like`.
    pub fn push(
        &mut self,
        like: &Node,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        self.new.set_path(like.path.clone());
        self.new.push(op, inputs)
    }

    /// Adds a node with one output.
    pub fn op(
        &mut self,
        like: &Node,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        Ok(self.push(like, op, inputs)?[0])
    }

    /// Adds a node on new operands and maps the old node's outputs to its outputs.
    pub fn emit(
        &mut self,
        old: &Node,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<(), GraphError> {
        let outputs = self.push(old, op, inputs)?;
        self.map.extend(old.outputs.iter().copied().zip(outputs));
        Ok(())
    }

    /// Finishes the new graph. `result` maps each old result to a new value and may add nodes to give it the
    /// type of the output or state.
    pub fn finish(
        mut self,
        mut result: impl FnMut(&mut Self, ValueId) -> Result<ValueId, GraphError>,
    ) -> Result<Graph, GraphError> {
        for port in self.old.outputs() {
            let value = result(&mut self, port.value)?;
            self.new.output(port.name.clone(), value);
        }
        for state in self.old.states() {
            let value = result(&mut self, state.output)?;
            // Both graphs have their states in the same sequence.
            let index = self
                .old
                .states()
                .iter()
                .position(|s| s.input == state.input)
                .unwrap_or(0);
            let input = self.new.graph().states()[index].input;
            self.new.set_state(input, value)?;
        }
        Ok(self.new.finish_unverified())
    }
}

//! A graph made anew, node by node.

use std::collections::HashMap;

use mirage_ir::{Graph, GraphBuilder, GraphError, Node, Op, TensorType, ValueId};

use super::patch::copy_border;

/// Makes a graph anew from an old one: the border first, then each node as the pass decides, then
/// the results. Values of the new graph are looked up by the old ones.
pub struct Rebuild<'g> {
    old: &'g Graph,
    new: GraphBuilder,
    map: HashMap<ValueId, ValueId>,
}

impl<'g> Rebuild<'g> {
    /// With the old graph's name, attributes, inputs, parameters and states.
    pub fn new(old: &'g Graph) -> Self {
        let mut new = GraphBuilder::new(old.name());
        new.set_attrs(old.attrs().clone());
        let mut map = HashMap::new();
        copy_border(old, &mut new, &mut map);
        Rebuild { old, new, map }
    }

    /// The old graph.
    pub fn old(&self) -> &'g Graph {
        self.old
    }

    /// The new value that stands for an old one.
    pub fn get(&self, old: ValueId) -> Result<ValueId, GraphError> {
        self.map
            .get(&old)
            .copied()
            .ok_or_else(|| GraphError::Graph {
                graph: self.old.name().to_owned(),
                message: format!("{old} has not been rebuilt yet"),
            })
    }

    /// Says which new value stands for an old one from now on.
    pub fn set(&mut self, old: ValueId, new: ValueId) {
        self.map.insert(old, new);
    }

    /// The type of a new value.
    pub fn ty(&self, new: ValueId) -> &TensorType {
        self.new.ty(new)
    }

    /// Adds a node with the module path of `like`, types inferred.
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

    /// Adds a node on new operands and lets its outputs stand for those of the old node.
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

    /// The new graph; `result` may put nodes between an old result's stand-in and the border, to
    /// give it the type that the border promises.
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
            // States stand in both graphs in the same sequence.
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

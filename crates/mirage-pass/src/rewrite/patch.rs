//! One round of replacements on a graph.

use std::collections::HashMap;

use mirage_ir::{
    Graph, GraphBuilder, GraphError, Node, NodeId, Op, Source, TensorType, ValueId,
    analysis::live_nodes,
};

/// Replacements that are applied in one sweep. Until then, values of new nodes have ids after the graph's
/// own.
pub struct Patch<'g> {
    graph: &'g Graph,
    types: Vec<TensorType>,
    nodes: Vec<NewNode>,
    replaced: HashMap<ValueId, ValueId>,
}

struct NewNode {
    anchor: NodeId,
    node: Node,
}

impl<'g> Patch<'g> {
    /// Returns a patch without replacements.
    pub fn new(graph: &'g Graph) -> Self {
        Patch {
            graph,
            types: Vec::new(),
            nodes: Vec::new(),
            replaced: HashMap::new(),
        }
    }

    /// Returns the number of values replaced so far.
    pub fn rewrites(&self) -> usize {
        self.replaced.len()
    }

    /// Whether a value has been replaced in this round.
    pub fn is_replaced(&self, value: ValueId) -> bool {
        self.replaced.contains_key(&value)
    }

    /// Returns the type of a value of the graph or of this patch.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        match value.index().checked_sub(self.graph.values().len()) {
            Some(new) => &self.types[new],
            None => self.graph.ty(value),
        }
    }

    /// Returns the position for new nodes: directly before this node, with its module path.
    pub fn at(&mut self, anchor: NodeId) -> At<'_, 'g> {
        At {
            patch: self,
            anchor,
        }
    }

    /// Redirects users of `old` to `new`, which must have the same type and be defined before these users.
    /// New nodes that were added before this call keep their operands, so that a node can use the value that
    /// it replaces.
    pub fn replace(&mut self, old: ValueId, new: ValueId) -> Result<(), GraphError> {
        let (is, becomes) = (self.ty(old), self.ty(new));
        if is != becomes {
            let message =
                format!("{old} is {is} and cannot be replaced by a value of type {becomes}");
            return Err(self.error(old, message));
        }
        self.replaced.insert(old, self.resolve(new));
        Ok(())
    }

    fn resolve(&self, mut value: ValueId) -> ValueId {
        while let Some(&next) = self.replaced.get(&value) {
            value = next;
        }
        value
    }

    fn push(
        &mut self,
        anchor: NodeId,
        op: Op,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        let inputs: Vec<ValueId> = inputs.iter().map(|&v| self.resolve(v)).collect();
        let types: Vec<&TensorType> = inputs.iter().map(|&v| self.ty(v)).collect();
        let anchor_node = self.graph.node(anchor);
        let outputs = op.infer(&types).map_err(|e| GraphError::Node {
            graph: self.graph.name().to_owned(),
            node: anchor.index(),
            op: op.name().into_owned(),
            path: anchor_node.path.to_string(),
            message: e.to_string(),
        })?;
        let first = self.graph.values().len() + self.types.len();
        let ids: Vec<ValueId> = (first..first + outputs.len())
            .map(ValueId::from_index)
            .collect();
        self.types.extend(outputs);
        let node = Node {
            op,
            inputs,
            outputs: ids.clone(),
            path: anchor_node.path.clone(),
        };
        self.nodes.push(NewNode { anchor, node });
        Ok(ids)
    }

    /// Applies the replacements and removes the nodes that become unused. Nodes that were unused before stay;
    /// `eliminate_dead` removes those.
    pub fn apply(self) -> Result<Graph, GraphError> {
        let order = self.order();
        let keep = self.needed(&order);
        let mut b = GraphBuilder::new(self.graph.name());
        b.set_attrs(self.graph.attrs().clone());
        let mut map = HashMap::new();
        copy_border(self.graph, &mut b, &mut map);
        for (node, keep) in order.iter().zip(keep) {
            if !keep {
                continue;
            }
            let inputs: Vec<ValueId> = node
                .inputs
                .iter()
                .map(|&v| self.find(&map, v))
                .collect::<Result<_, _>>()?;
            let types = node.outputs.iter().map(|&v| self.ty(v).clone()).collect();
            b.set_path(node.path.clone());
            let outputs = b.push_typed(node.op.clone(), &inputs, types);
            map.extend(node.outputs.iter().copied().zip(outputs));
        }
        for port in self.graph.outputs() {
            b.output(
                port.name.clone(),
                self.find(&map, self.resolve(port.value))?,
            );
        }
        for state in self.graph.states() {
            b.set_state(
                map[&state.input],
                self.find(&map, self.resolve(state.output))?,
            )?;
        }
        Ok(b.finish_unverified())
    }

    fn find(&self, map: &HashMap<ValueId, ValueId>, value: ValueId) -> Result<ValueId, GraphError> {
        let found = map.get(&value).copied();
        found.ok_or_else(|| {
            let message = format!("the replacement {value} is used before it is computed");
            self.error(value, message)
        })
    }

    /// Returns an error about a value, with the operation and module path of the node that defines it.
    fn error(&self, value: ValueId, message: String) -> GraphError {
        let graph = self.graph.name().to_owned();
        let own = value.index() < self.graph.values().len();
        let node = match own {
            true => self.graph.producer(value),
            false => {
                let defines = |new: &&NewNode| new.node.outputs.contains(&value);
                let new = self.nodes.iter().find(defines);
                new.map(|new| (new.anchor, &new.node))
            }
        };
        match node {
            Some((id, node)) => GraphError::Node {
                graph,
                node: id.index(),
                op: node.op.name().into_owned(),
                path: node.path.to_string(),
                message,
            },
            None => GraphError::Graph { graph, message },
        }
    }

    /// Returns every node in topological order. Operands of the graph's own nodes are resolved here; those of
    /// new nodes were resolved when they were added.
    fn order(&self) -> Vec<Node> {
        let mut at: HashMap<NodeId, Vec<&Node>> = HashMap::new();
        for new in &self.nodes {
            at.entry(new.anchor).or_default().push(&new.node);
        }
        let mut order = Vec::with_capacity(self.graph.nodes().len() + self.nodes.len());
        for (id, node) in self.graph.iter() {
            order.extend(at.remove(&id).into_iter().flatten().cloned());
            let mut node = node.clone();
            node.inputs.iter_mut().for_each(|v| *v = self.resolve(*v));
            order.push(node);
        }
        order
    }

    /// Returns for each node of `order` whether it is needed, or was unused from the start.
    fn needed(&self, order: &[Node]) -> Vec<bool> {
        let was_live = live_nodes(self.graph);
        let mut needed: Vec<bool> = vec![false; self.graph.values().len() + self.types.len()];
        for v in self.graph.results() {
            needed[self.resolve(v).index()] = true;
        }
        let own = |node: &Node| match node.outputs.first().map(|v| v.index()) {
            Some(i) if i < self.graph.values().len() => match self.graph.values()[i].source {
                Source::Node { node, .. } => Some(node),
                _ => None,
            },
            _ => None,
        };
        let mut keep = vec![false; order.len()];
        for (i, node) in order.iter().enumerate().rev() {
            let dead_before = own(node).is_some_and(|id| {
                !was_live[id.index()] && !node.outputs.iter().any(|v| self.is_replaced(*v))
            });
            keep[i] = dead_before || node.outputs.iter().any(|v| needed[v.index()]);
            if keep[i] {
                node.inputs.iter().for_each(|v| needed[v.index()] = true);
            }
        }
        keep
    }
}

/// Copies inputs, parameters and states.
pub(super) fn copy_border(
    graph: &Graph,
    b: &mut GraphBuilder,
    map: &mut HashMap<ValueId, ValueId>,
) {
    for port in graph.inputs() {
        map.insert(
            port.value,
            b.input(port.name.clone(), graph.ty(port.value).clone()),
        );
    }
    for port in graph.params() {
        map.insert(
            port.value,
            b.param(port.name.clone(), graph.ty(port.value).clone()),
        );
    }
    for state in graph.states() {
        map.insert(
            state.input,
            b.state(state.name.clone(), graph.ty(state.input).clone()),
        );
    }
}

/// A position in a patch where nodes can be added.
pub struct At<'p, 'g> {
    patch: &'p mut Patch<'g>,
    anchor: NodeId,
}

impl At<'_, '_> {
    /// Adds a node with inferred types; returns its outputs.
    pub fn push(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, GraphError> {
        self.patch.push(self.anchor, op.into(), inputs)
    }

    /// Adds a node with one output.
    pub fn op(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId, GraphError> {
        Ok(self.push(op, inputs)?[0])
    }

    /// Returns the type of a value of the graph or of the patch.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        self.patch.ty(value)
    }

    /// See [`Patch::replace`].
    pub fn replace(&mut self, old: ValueId, new: ValueId) -> Result<(), GraphError> {
        self.patch.replace(old, new)
    }
}
